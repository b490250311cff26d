/** @file config.json of Python's transformers as a typed object: camelCase here, the file's names and unknown keys kept. */
import { z } from 'zod';
import { FormatError } from '../ir/errors.ts';

/** What every family's config has (transformers.PretrainedConfig). Keys that no family knows stay as the file has them. */
const shared = {
  modelType: z.string(),
  architectures: z.array(z.string()).nullish(),
  /** Names of classes by index; training scripts that found numbers as labels wrote numbers. */
  id2label: z.record(z.string(), z.union([z.string(), z.number().transform(String)])).nullish(),
  label2id: z.record(z.string(), z.number().int()).nullish(),
  /** What the labels mean; guessed from them if not given. */
  problemType: z.enum(['single_label_classification', 'multi_label_classification', 'regression']).nullish(),
  padTokenId: z.number().int().nullish(),
  bosTokenId: z.number().int().nullish(),
  /** One id, or several any of which ends a text. */
  eosTokenId: z.union([z.number().int(), z.array(z.number().int())]).nullish(),
  /** Standard deviation of new weights. */
  initializerRange: z.number().nonnegative().default(0.02),
};

type Shared = z.infer<z.ZodObject<typeof shared>>;

/** A model's configuration. `numLabels` is the number of entries of `id2label` (2 without). */
export type PretrainedConfig = Shared & Readonly<Record<string, unknown>>;

/** How configurations of one family are read, made and written. */
export interface ConfigDefinition<C extends PretrainedConfig> {
  readonly modelType: string;
  /** @throws FormatError naming the key, what was expected and what was found. */
  fromJson(json: unknown, source?: string): C;
  /** Defaults of the family with some keys changed. */
  create(changes?: Partial<C> & { numLabels?: number }): C;
  toJson(config: C): Record<string, unknown>;
}

/** A key as files have it. */
export const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Class names `LABEL_0` ... as transformers gives them when no others are known. */
export function defaultLabels(count: number): Pick<Shared, 'id2label' | 'label2id'> {
  return labelsOf(Array.from({ length: count }, (_, i) => `LABEL_${i}`));
}

/** Config entries for class names. */
export function labelsOf(names: readonly string[]): Pick<Shared, 'id2label' | 'label2id'> {
  return {
    id2label: Object.fromEntries(names.map((name, i) => [i, name])),
    label2id: Object.fromEntries(names.map((name, i) => [name, i])),
  };
}

/** Number of classes (or of targets of a regression) that a config names; 2 where it names none, as in transformers. */
export function numLabels(config: PretrainedConfig): number {
  if (config.id2label) return Object.keys(config.id2label).length;
  const { num_labels: count } = config;
  return typeof count === 'number' ? count : 2;
}

/** Schemas of entries that several families have. A file's claim is bounded here, before a model is built by it. */
export const entry = {
  /** Width of something, or a number of rows. */
  size: z
    .number()
    .int()
    .positive()
    .max(2 ** 31 - 1),
  layers: z.number().int().positive().max(4096),
  probability: z.number().min(0).max(1),
};

/** What is wrong with a config whose heads do not divide its width; undefined if nothing is. */
export function headsDivide(config: { hiddenSize: number; numAttentionHeads: number }): string | undefined {
  const { hiddenSize, numAttentionHeads } = config;
  return hiddenSize % numAttentionHeads === 0
    ? undefined
    : `${numAttentionHeads} attention heads cannot share a hidden size of ${hiddenSize}`;
}

/** What is wrong with a config whose padding token is not in its vocabulary; undefined if nothing is. */
export function paddingExists(config: { vocabSize: number; padTokenId?: number | null }): string | undefined {
  const { vocabSize, padTokenId } = config;
  return typeof padTokenId !== 'number' || (padTokenId >= -vocabSize && padTokenId < vocabSize)
    ? undefined
    : `"pad_token_id" is ${padTokenId}, but there are ${vocabSize} tokens`;
}

/**
 * Defines the configuration of a family: a zod shape with camelCase keys and the defaults of Python's transformers.
 * @param aliases keys whose name in the file is not the camelCase one in snake_case.
 * @param check says what is wrong with entries that do not fit each other.
 */
export function defineConfig<S extends z.ZodRawShape>(
  modelType: string,
  shape: S,
  aliases: Readonly<Record<string, string>> = {},
  check: (config: z.infer<z.ZodObject<S>> & PretrainedConfig) => string | undefined = () => undefined,
): ConfigDefinition<z.infer<z.ZodObject<S>> & PretrainedConfig> {
  type C = z.infer<z.ZodObject<S>> & PretrainedConfig;
  const schema = z.looseObject({ ...shared, ...shape });
  const names = Object.keys(schema.shape).map((key) => [key, aliases[key] ?? snake(key)] as const);
  const parse = (value: Record<string, unknown>, source: string): C => {
    const result = schema.safeParse(value);
    if (result.success) {
      const config = result.data as C;
      const problem = check(config);
      if (problem) throw new FormatError(`${source}: ${problem}`);
      return config;
    }
    const [issue] = result.error.issues;
    const key = issue.path
      .map((part, i) => (i === 0 ? (aliases[String(part)] ?? snake(String(part))) : String(part)))
      .join('.');
    throw new FormatError(`${source}: "${key}": ${issue.message}`);
  };
  return {
    modelType,
    fromJson(json, source = 'config.json') {
      if (!isRecord(json)) throw new FormatError(`${source}: expected a JSON object, found ${JSON.stringify(json)}`);
      const entries = { ...json };
      for (const [key, name] of names) {
        if (key === name || !(name in entries)) continue;
        entries[key] = entries[name];
        delete entries[name];
      }
      return parse(entries, source);
    },
    create({ numLabels: count, ...changes } = {}) {
      const labels = count === undefined ? {} : defaultLabels(count);
      return parse({ modelType, ...labels, ...changes }, `config of ${modelType}`);
    },
    toJson(config) {
      const json: Record<string, unknown> = { ...config };
      for (const [key, name] of names) {
        if (key === name || !(key in json)) continue;
        const value = json[key];
        delete json[key];
        if (value !== undefined) json[name] = value;
      }
      return json;
    },
  };
}
