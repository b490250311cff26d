/** @file config.json of Python's transformers as a typed object: camelCase here, the file's names and unknown keys kept. */
import { z } from 'zod';
import { FormatError } from '../ir/errors.ts';

/** What every family's config has (transformers.PretrainedConfig). Keys that no family knows stay as the file has them. */
const shared = {
  modelType: z.string(),
  architectures: z.array(z.string()).nullish(),
  /** Names of classes by index. */
  id2label: z.record(z.string(), z.string()).nullish(),
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

const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

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
  return config.id2label ? Object.keys(config.id2label).length : 2;
}

/**
 * Defines the configuration of a family: a zod shape with camelCase keys and the defaults of Python's transformers.
 * `aliases` are keys whose name in the file is not the camelCase one in snake_case.
 */
export function defineConfig<S extends z.ZodRawShape>(
  modelType: string,
  shape: S,
  aliases: Readonly<Record<string, string>> = {},
): ConfigDefinition<z.infer<z.ZodObject<S>> & PretrainedConfig> {
  type C = z.infer<z.ZodObject<S>> & PretrainedConfig;
  const schema = z.looseObject({ ...shared, ...shape });
  const names = Object.keys(schema.shape).map((key) => [key, aliases[key] ?? snake(key)] as const);
  const parse = (value: Record<string, unknown>, source: string): C => {
    const result = schema.safeParse(value);
    if (result.success) return result.data as C;
    const [issue] = result.error.issues;
    const key = issue.path.map((part, i) => (i === 0 ? snake(String(part)) : String(part))).join('.');
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
