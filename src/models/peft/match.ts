/** @file Which layers an adapter takes: names, ends of names and regular expressions, as peft matches them. */
import { ArgumentError } from '../../ir/errors.ts';
import type { LoraConfig } from './config.ts';

/** `query` is the end of `encoder.layer.0.attention.self.query`. */
export const isEndOf = (end: string, name: string) => name === end || name.endsWith(`.${end}`);

/** Python's named groups, and its `(?i)` at the start, are read too. */
function expression(pattern: string, around: (inner: string) => string): RegExp {
  const flag = /^\(\?i\)/.exec(pattern)?.[0] ?? '';
  const source = around(pattern.slice(flag.length).replaceAll('(?P<', '(?<'));
  try {
    return new RegExp(source, flag && 'i');
  } catch (error) {
    throw new ArgumentError(`'${pattern}' is not a regular expression: ${error instanceof Error ? error.message : ''}`);
  }
}

/** Whether a name is chosen: by a list of ends, or by a regular expression that matches all of it (Python's fullmatch). */
function matches(pattern: string | readonly string[], name: string): boolean {
  if (typeof pattern !== 'string') return pattern.some((end) => isEndOf(end, name));
  return expression(pattern, (inner) => `^(?:${inner})$`).test(name);
}

/** peft's choice for families whose attention is adapted by default. */
const usualTargets: Readonly<Record<string, readonly string[]>> = {
  bert: ['query', 'value'],
  roberta: ['query', 'value'],
  'xlm-roberta': ['query', 'value'],
  vit: ['query', 'value'],
  distilbert: ['q_lin', 'v_lin'],
  gpt2: ['c_attn'],
  t5: ['q', 'v'],
  llama: ['q_proj', 'v_proj'],
  mistral: ['q_proj', 'v_proj'],
  qwen2: ['q_proj', 'v_proj'],
};

/** The targets of a configuration; those of the family where it names none. @throws ArgumentError if there are none. */
export function targetsOf(config: LoraConfig, modelType: string | undefined): string | readonly string[] {
  const targets = config.targetModules ?? usualTargets[modelType ?? ''];
  if (!targets?.length)
    throw new ArgumentError(
      `loraConfig: targetModules: name the layers to adapt, such as ['query', 'value'] or 'all-linear'; there is no usual choice for ${modelType ?? 'this model'}`,
    );
  return targets;
}

/** Modules that are trained and saved whole; peft adds the head for tasks that have a new one. */
export function wholeModules({ modulesToSave, taskType }: LoraConfig): string[] {
  const heads = taskType === 'SEQ_CLS' || taskType === 'TOKEN_CLS' ? ['classifier', 'score'] : [];
  const answers = taskType === 'QUESTION_ANS' ? ['qa_outputs'] : [];
  return [...new Set([...(modulesToSave ?? []), ...heads, ...answers])];
}

/** Heads that 'all-linear' leaves out: what gives logits. */
const heads = ['classifier', 'score', 'lm_head', 'qa_outputs', 'cls.predictions.decoder', 'lm_head.decoder'];

/** Whether the layer of this name is adapted (peft.tuners.tuners_utils.check_target_module_exists). */
export function isTarget(config: LoraConfig, targets: string | readonly string[], name: string): boolean {
  const { excludeModules } = config;
  if (excludeModules?.length && matches(excludeModules, name)) return false;
  if (wholeModules(config).some((whole) => isEndOf(whole, name) || `.${name}.`.includes(`.${whole}.`))) return false;
  if (targets === 'all-linear') return !heads.some((head) => isEndOf(head, name));
  if (!matches(targets, name)) return false;
  return typeof targets === 'string' || targets.includes(name) || isInLayers(config, name);
}

function isInLayers({ layersToTransform, layersPattern }: LoraConfig, name: string): boolean {
  const layers = typeof layersToTransform === 'number' ? [layersToTransform] : (layersToTransform ?? []);
  if (!layers.length) return true;
  const lists = typeof layersPattern === 'string' ? [layersPattern] : (layersPattern ?? []);
  const parts = name.split('.');
  const at = parts.findIndex(
    (part, i) =>
      i > 0 && i < parts.length - 1 && /^\d+$/.test(part) && (lists.length ? lists.includes(parts[i - 1]) : i > 1),
  );
  return at > 0 && layers.includes(Number(parts[at]));
}

/** The value that a pattern gives a layer, else `otherwise` (peft's rank_pattern and alpha_pattern). */
export function valueFor(patterns: Readonly<Record<string, number>>, name: string, otherwise: number): number {
  const found = Object.entries(patterns).find(
    ([pattern]) => isEndOf(pattern, name) || expression(pattern, (inner) => `^(?:.*\\.)?(?:${inner})$`).test(name),
  );
  return found ? found[1] : otherwise;
}
