/** @file LoRA's configuration, and adapter_config.json of Python's peft. */
import { z } from 'zod';
import { ArgumentError, FormatError, UnsupportedError } from '../../ir/errors.ts';

const names = z.array(z.string());
const perName = z.record(z.string(), z.number().positive());

const shape = {
  /** Rank of the update. */
  r: z.number().int().positive().default(8),
  /** The update is multiplied by loraAlpha / r. */
  loraAlpha: z.number().default(8),
  /** Probability of dropping elements of the input of an adapter while training. */
  loraDropout: z.number().min(0).max(1).default(0),
  /**
   * Which layers: their names or the ends of these (`['query', 'value']`), a regular expression that the whole name
   * matches, or `'all-linear'` for all but the head. Default: what peft takes for the family.
   */
  targetModules: z.union([z.string(), names]).nullish(),
  /** Layers to leave out, given in the same way. */
  excludeModules: z.union([z.string(), names]).nullish(),
  /** Modules to train and to save whole, such as a new head: names or ends of names. */
  modulesToSave: names.nullish(),
  /** Which biases of the model are trained: none, all, or those of the adapted layers. */
  bias: z.enum(['none', 'all', 'lora_only']).default('none'),
  /** Multiply by loraAlpha / sqrt(r) instead (Kalajdzievski 2023), which keeps large ranks useful. */
  useRslora: z.boolean().default(false),
  /**
   * First values: true is kaiming-uniform for A and zero for B, so that nothing changes at first; 'gaussian' draws A from
   * N(0, 1/r^2); false draws B at random too, for tests.
   */
  initLoraWeights: z.union([z.boolean(), z.literal('gaussian')]).default(true),
  /** Only layers with these numbers in their names (`encoder.layer.3.`). */
  layersToTransform: z.union([z.number().int(), z.array(z.number().int())]).nullish(),
  /** Name of the list that these numbers count in, if there are several. */
  layersPattern: z.union([z.string(), names]).nullish(),
  /** Ranks of single layers by (end of) name or regular expression. */
  rankPattern: perName.default({}),
  /** loraAlpha of single layers. */
  alphaPattern: perName.default({}),
  /** `SEQ_CLS` and `TOKEN_CLS` add the head to modulesToSave, as in peft. */
  taskType: z.string().nullish(),
  /** The model that the adapter belongs to; Python's AutoPeftModel loads it by this name. */
  baseModelNameOrPath: z.string().nullish(),
};

const schema = z.strictObject(shape);

/** What LoRA adapts and how (peft.LoraConfig; Hu et al. 2021). */
export type LoraConfig = Readonly<z.infer<typeof schema>>;

/** What a user gives: everything has peft's default. */
export type LoraOptions = Omit<Readonly<z.input<typeof schema>>, 'targetModules'> & {
  targetModules?: string | readonly string[] | RegExp | null;
};

const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * A LoRA configuration with peft's defaults (r 8, alpha 8, no dropout).
 * @throws ArgumentError naming the key, for values that cannot be and keys that are not known.
 */
export function loraConfig(options: LoraOptions = {}): LoraConfig {
  const { targetModules } = options;
  // peft's expressions match whole names.
  const target = targetModules instanceof RegExp ? `.*(?:${targetModules.source}).*` : targetModules;
  const result = schema.safeParse({ ...options, targetModules: target });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ArgumentError(`loraConfig: ${issue.path.join('.') || 'options'}: ${issue.message}`);
}

/** Keys of adapter_config.json whose absence or these values change nothing; others would be ignored silently. */
const neutral = (value: unknown): boolean =>
  value === null ||
  value === false ||
  (typeof value === 'object' && Object.keys(value).length === 0) ||
  (Array.isArray(value) && value.length === 0);

/** First values that leave the model's own weights as they are; how an adapter began is past once it is read. */
const pastInits: readonly unknown[] = ['gaussian', 'orthogonal', 'eva'];

/** Keys that say nothing about what the adapter computes, or only refine a choice that is refused anyway. */
const informative = new Set([
  'peft_type',
  'peft_version',
  'auto_mapping',
  'revision',
  'inference_mode',
  'megatron_core',
  'qalora_group_size',
  // Implied by the layer here: Linear or its transposed form.
  'fan_in_fan_out',
]);

/**
 * Reads the contents of an adapter_config.json.
 * @throws FormatError for what is none; UnsupportedError for other methods than LoRA and for variants of it that Gradus
 *   does not compute (DoRA, aLoRA, ...).
 */
export function loraConfigFromJson(json: unknown, source = 'adapter_config.json'): LoraConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new FormatError(`${source}: expected a JSON object, found ${JSON.stringify(json)}`);
  const entries = new Map<string, unknown>(Object.entries(json));
  const type = entries.get('peft_type');
  if (type !== 'LORA')
    throw new UnsupportedError(`${source}: "peft_type": expected "LORA", found ${JSON.stringify(type)}`);
  const init = entries.get('init_lora_weights');
  if (typeof init === 'string' && !pastInits.includes(init))
    throw new UnsupportedError(
      `${source}: "init_lora_weights": ${JSON.stringify(init)} also changes the weights of the model, which are not in the adapter's file; in Python merge the adapter (merge_and_unload) and load the model, or save it as a plain one (save_pretrained with path_initial_model_for_weight_conversion)`,
    );
  if (typeof init === 'string' && init !== 'gaussian') entries.set('init_lora_weights', true);
  const known = new Map(Object.keys(shape).map((key) => [snake(key), key]));
  const options: Record<string, unknown> = {};
  for (const [name, value] of entries) {
    const key = known.get(name);
    if (key) options[key] = value;
    else if (!informative.has(name) && !neutral(value))
      throw new UnsupportedError(
        `${source}: "${name}": ${JSON.stringify(value)} is a variant of LoRA that Gradus does not compute; train the adapter without it, or merge it in Python (merge_and_unload) and load the model`,
      );
  }
  const result = schema.safeParse(options);
  if (result.success) {
    // A repeated group can take exponential time.
    const slow = Object.keys(result.data.alphaPattern).find(
      (pattern) => /\)[*+{]/.test(pattern) || pattern.length > 500,
    );
    if (slow !== undefined)
      throw new UnsupportedError(
        `${source}: "alpha_pattern": '${slow}' repeats a group or is very long; name the layers`,
      );
    return result.data;
  }
  const [issue] = result.error.issues;
  throw new FormatError(`${source}: "${issue.path.map(String).map(snake).join('.')}": ${issue.message}`);
}

/** The contents of adapter_config.json, as peft writes it. */
export function loraConfigToJson(config: LoraConfig): Record<string, unknown> {
  const own = Object.fromEntries(Object.entries(config).map(([key, value]) => [snake(key), value ?? null]));
  return { peft_type: 'LORA', auto_mapping: null, inference_mode: true, fan_in_fan_out: false, ...own };
}
