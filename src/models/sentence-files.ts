/** @file The files of Python's sentence-transformers beside a model's own: modules.json, pooling, lengths. */
import { type ModelSource, readJson } from '../hub/source.ts';
import { FormatError, UnsupportedError } from '../ir/errors.ts';
import type { EncoderModel } from './encoder.ts';

/** How the vectors of tokens become the vector of their text. */
export type Pooling = 'mean' | 'cls' | 'max';

export interface SentenceEncoderOptions {
  /** Default mean. */
  pooling?: Pooling;
  /** Vectors of length 1; default false. */
  normalize?: boolean;
  /** Tokens of a text that are read; default what the model has positions for. */
  maxLength?: number;
}

type Json = Readonly<Record<string, unknown>>;

/** Contents of files that were read. */
export interface SentenceFiles {
  modules?: (Json & { readonly type: string; readonly path: string })[];
  pooling?: Json;
  /** sentence_bert_config.json. */
  transformer?: Json;
  /** config_sentence_transformers.json: prompts, versions. */
  config?: unknown;
}

/** Files of an encoder by name: what was read, changed only where the encoder is another than they say. */
export function sentenceFiles(
  encoder: Required<SentenceEncoderOptions> & { readonly backbone: EncoderModel },
  kept: SentenceFiles,
): Map<string, unknown> {
  const { pooling, normalize, maxLength, backbone } = encoder;
  const found = kept.modules ?? [];
  const known = (kind: string, path: string) => {
    const module = found.find(({ type }) => kindOf(type) === kind);
    return module ?? { name: undefined, path, type: `sentence_transformers.models.${kind}` };
  };
  const pooled = known('Pooling', '1_Pooling');
  const parts = [
    // Python's AutoModel looks for the encoder in the folder itself.
    { ...known('Transformer', ''), path: '' },
    pooled,
    ...(normalize ? [known('Normalize', '2_Normalize')] : []),
  ];
  const modules = parts.map((part, idx) => ({ ...part, idx, name: part.name ?? `${idx}` }));
  const isSame = kept.pooling && poolingOf(kept.pooling, '') === pooling;
  const length = kept.transformer?.max_seq_length;
  const isLong = typeof length === 'number' && Math.min(length, backbone.maxLength) === maxLength;
  const files: [string, unknown][] = [
    [`${pooled.path}/config.json`, isSame ? kept.pooling : poolingConfig(pooling, backbone, kept.pooling)],
    [
      'sentence_bert_config.json',
      isLong ? kept.transformer : { do_lower_case: false, ...kept.transformer, max_seq_length: maxLength },
    ],
    ['modules.json', modules.map(({ idx, name, ...rest }) => ({ idx, name, ...rest }))],
  ];
  if (kept.config !== undefined) files.push(['config_sentence_transformers.json', kept.config]);
  return new Map(files);
}

function poolingConfig(pooling: Pooling, backbone: EncoderModel, kept: Json = {}): Json {
  const others = Object.entries(kept).filter(([key]) => !key.startsWith('pooling_mode'));
  return {
    ...('embedding_dimension' in kept ? {} : { word_embedding_dimension: backbone.config.hiddenSize }),
    ...Object.fromEntries(others),
    pooling_mode_cls_token: pooling === 'cls',
    pooling_mode_mean_tokens: pooling === 'mean',
    pooling_mode_max_tokens: pooling === 'max',
    pooling_mode_mean_sqrt_len_tokens: false,
  };
}

const kindOf = (type: string) => type.slice(type.lastIndexOf('.') + 1);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface Modules extends SentenceEncoderOptions {
  /** Folder of the encoder inside of the model's; empty for the model's own. */
  transformer: string;
  readonly kept: SentenceFiles;
}

/** What modules.json says. */
export async function readModules(files: ModelSource): Promise<Modules> {
  const kept: SentenceFiles = {};
  const found: Modules = { transformer: '', kept };
  const config = 'config_sentence_transformers.json';
  if (await files.has(config)) kept.config = await readJson(files, config);
  if (!(await files.has('modules.json'))) return found;
  const modules = await readJson(files, 'modules.json');
  if (!Array.isArray(modules)) throw new FormatError(`${files.name}/modules.json: expected a list of modules`);
  kept.modules = [];
  for (const module of modules) {
    const { type, path } = isRecord(module) ? module : {};
    if (typeof type !== 'string' || typeof path !== 'string')
      throw new FormatError(
        `${files.name}/modules.json: expected modules with "type" and "path", found ${JSON.stringify(module)}`,
      );
    const kind = kindOf(type);
    kept.modules.push({ ...module, type, path });
    if (kind === 'Transformer') {
      if (path.split(/[\\/]/).includes('..') || path.startsWith('/'))
        throw new FormatError(`${files.name}/modules.json: path '${path}' leads out of the folder`);
      found.transformer = path;
      const file = 'sentence_bert_config.json';
      const inside = path ? `${path}/${file}` : file;
      const json = (await files.has(inside)) ? await readJson(files, inside) : {};
      const length = isRecord(json) ? json.max_seq_length : undefined;
      if (isRecord(json)) kept.transformer = json;
      if (typeof length === 'number' && length > 0) found.maxLength = length;
    } else if (kind === 'Pooling') {
      const json = await readJson(files, `${path}/config.json`);
      found.pooling = poolingOf(json, files.name);
      if (isRecord(json)) kept.pooling = json;
    } else if (kind === 'Normalize') found.normalize = true;
    else
      throw new UnsupportedError(
        `${files.name}/modules.json: modules Transformer, Pooling and Normalize are known, found ${type}`,
      );
  }
  return found;
}

const flags: Readonly<Record<string, Pooling>> = {
  pooling_mode_cls_token: 'cls',
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_max_tokens: 'max',
};

/** The pooling of a config: a name, or (older) a flag for each kind. */
function poolingOf(json: unknown, source: string): Pooling {
  const config = isRecord(json) ? json : {};
  const named = typeof config.pooling_mode === 'string' ? [config.pooling_mode] : [];
  const set = Object.keys(config).filter((key) => key.startsWith('pooling_mode_') && config[key] === true);
  const kinds = named.length ? named : set.map((key) => flags[key] ?? key);
  const known = Object.values(flags).find((kind) => kinds.length === 1 && kind === kinds[0]);
  if (!known)
    throw new UnsupportedError(
      `${source}: pooling by one of mean, cls and max is known, found ${kinds.join(', ') || 'none'}`,
    );
  return known;
}
