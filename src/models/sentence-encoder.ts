/** @file Sentence encoders: texts as vectors, in the folders of Python's sentence-transformers. */
import type { ExportOptions } from '../hub/onnx/index.ts';
import { type ModelSource, openSource, readJson } from '../hub/source.ts';
import { AutoTokenizer, type Tokenizer } from '../hub/tokenizer/index.ts';
import { ArgumentError, FormatError, UnsupportedError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import * as F from '../nn/functional/index.ts';
import { Module } from '../nn/module.ts';
import { compile, noGrad, type Tensor, where } from '../tensor/index.ts';
import { writeFileAtomic } from '../train/files.ts';
import { nodeFiles } from '../train/node-files.ts';
import { AutoModel } from './auto.ts';
import { snake } from './config.ts';
import { type EncoderInputs, EncoderModel } from './encoder.ts';
import type { FromPretrainedOptions } from './pretrained-model.ts';
import { orderByLength, type TextBatch, textLoader, tokenizeTexts } from './tokenized-texts.ts';

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

/**
 * An encoder whose vectors are pooled to one per text (Reimers and Gurevych 2019).
 *
 *     const encoder = await SentenceEncoder.fromPretrained('sentence-transformers/all-MiniLM-L6-v2');
 *     const { data, shape } = await encoder.encode(['a text', 'another']); // shape [2, 384]
 */
export class SentenceEncoder extends Module {
  backbone: EncoderModel;
  readonly tokenizer: Tokenizer | null;
  readonly pooling: Pooling;
  readonly normalize: boolean;
  readonly maxLength: number;

  constructor(
    backbone: EncoderModel,
    tokenizer: Tokenizer | null = null,
    { pooling = 'mean', normalize = false, maxLength = backbone.maxLength }: SentenceEncoderOptions = {},
  ) {
    super();
    this.backbone = backbone;
    this.tokenizer = tokenizer;
    this.pooling = pooling;
    this.normalize = normalize;
    this.maxLength = Math.min(maxLength, backbone.maxLength);
  }

  /**
   * Loads a folder or hub repository of sentence-transformers (modules.json, 1_Pooling/config.json), or any encoder, which
   * is then pooled by the mean.
   * @throws UnsupportedError for modules other than Transformer, Pooling (mean, cls or max) and Normalize; else as
   *   `AutoModel.fromPretrained` and `AutoTokenizer.fromPretrained`.
   */
  static async fromPretrained(
    source: string,
    options: FromPretrainedOptions & SentenceEncoderOptions = {},
  ): Promise<SentenceEncoder> {
    const files = await openSource(source, options);
    const { transformer, ...found } = await readModules(files);
    const backbone = await AutoModel.fromPretrained(transformer ? `${source}/${transformer}` : source, options);
    if (!(backbone instanceof EncoderModel))
      throw new UnsupportedError(`${source}: ${backbone.constructor.name} is no encoder of texts`);
    const tokenizer = await AutoTokenizer.fromPretrained(transformer ? `${source}/${transformer}` : source, options);
    return new SentenceEncoder(backbone, tokenizer, { ...found, ...options }).eval();
  }

  /** @returns sentenceEmbedding [batch, hidden] and lastHiddenState [batch, sequence, hidden]. */
  override forward(inputs: EncoderInputs): { sentenceEmbedding: Tensor; lastHiddenState: Tensor } {
    const { lastHiddenState } = this.backbone.forward(inputs);
    const pooled = pool(lastHiddenState, inputs.attentionMask, this.pooling);
    return { sentenceEmbedding: this.normalize ? F.normalize(pooled, { dim: -1 }) : pooled, lastHiddenState };
  }

  /**
   * Vectors of texts, in the order of the texts: float32 [texts, hidden]. Without dropout and gradients.
   * @throws ArgumentError for a text that is no string, and for an encoder without a tokenizer.
   */
  async encode(texts: readonly string[], { batchSize = 32 }: { batchSize?: number } = {}): Promise<NDArray> {
    if (!this.tokenizer) throw new ArgumentError('this SentenceEncoder was made without a tokenizer');
    const tokens = await tokenizeTexts(this.tokenizer, texts, { maxLength: this.maxLength });
    const width = this.backbone.config.hiddenSize;
    const data = new Float32Array(texts.length * width);
    const order = orderByLength(tokens);
    const wasTraining = this.training;
    this.eval();
    try {
      let done = 0;
      for await (const batch of textLoader(tokens, { batchSize })) {
        const rows = await (await this.#run(batch)).data();
        const n = batch.inputIds.size(0);
        for (let i = 0; i < n; i++) data.set(rows.subarray(i * width, (i + 1) * width), order[done + i] * width);
        done += n;
      }
    } finally {
      this.train(wasTraining);
    }
    return { data, shape: [texts.length, width], dtype: 'float32' };
  }

  readonly #run = compile(({ inputIds, attentionMask, tokenTypeIds }: TextBatch) =>
    noGrad(() => {
      const types = tokenTypeIds && this.backbone.readsTokenTypes ? { tokenTypeIds } : {};
      return this.forward({ inputIds, attentionMask, ...types }).sentenceEmbedding;
    }),
  );

  exampleInputs(): Record<string, Tensor> {
    return { ...this.backbone.exampleInputs() };
  }

  exportOptions(): ExportOptions {
    return { ...this.backbone.exportOptions(), outputNames: snake, outputs: ['lastHiddenState', 'sentenceEmbedding'] };
  }

  /** Writes a folder that Python's `SentenceTransformer(folder)` and `AutoModel.from_pretrained(folder)` read. @throws FileError. */
  async savePretrained(folder: string): Promise<void> {
    const { path, fs } = nodeFiles();
    await this.backbone.savePretrained(folder);
    await this.tokenizer?.savePretrained(folder);
    const pooling = path.join(folder, '1_Pooling');
    await fs.mkdir(pooling, { recursive: true });
    const write = async (file: string, json: unknown) =>
      await writeFileAtomic(path.join(folder, file), `${JSON.stringify(json, null, 2)}\n`);
    await write(path.join('1_Pooling', 'config.json'), {
      word_embedding_dimension: this.backbone.config.hiddenSize,
      pooling_mode_cls_token: this.pooling === 'cls',
      pooling_mode_mean_tokens: this.pooling === 'mean',
      pooling_mode_max_tokens: this.pooling === 'max',
      pooling_mode_mean_sqrt_len_tokens: false,
    });
    await write('sentence_bert_config.json', { max_seq_length: this.maxLength, do_lower_case: false });
    const modules = [
      ['', 'Transformer'],
      ['1_Pooling', 'Pooling'],
      ...(this.normalize ? [['2_Normalize', 'Normalize']] : []),
    ];
    await write(
      'modules.json',
      modules.map(([at, type], i) => ({
        idx: i,
        name: `${i}`,
        path: at,
        type: `sentence_transformers.models.${type}`,
      })),
    );
  }
}

function pool(states: Tensor, attentionMask: Tensor | undefined, pooling: Pooling): Tensor {
  if (pooling === 'cls') return states.select(1, 0);
  if (!attentionMask) return pooling === 'mean' ? states.mean(1) : states.max(1).values;
  if (pooling === 'max') return where(attentionMask.ne(0).unsqueeze(-1), states, -1e9).max(1).values;
  const mask = attentionMask.to(states.dtype).unsqueeze(-1);
  return states
    .mul(mask)
    .sum(1)
    .div(mask.sum(1).clamp({ min: 1e-9 }));
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface Modules extends SentenceEncoderOptions {
  /** Folder of the encoder inside of the model's; empty for the model's own. */
  transformer: string;
}

/** What modules.json says. */
async function readModules(files: ModelSource): Promise<Modules> {
  const found: Modules = { transformer: '' };
  if (!(await files.has('modules.json'))) return found;
  const modules = await readJson(files, 'modules.json');
  if (!Array.isArray(modules)) throw new FormatError(`${files.name}/modules.json: expected a list of modules`);
  for (const module of modules) {
    const { type, path } = isRecord(module) ? module : {};
    if (typeof type !== 'string' || typeof path !== 'string')
      throw new FormatError(
        `${files.name}/modules.json: expected modules with "type" and "path", found ${JSON.stringify(module)}`,
      );
    const kind = type.slice(type.lastIndexOf('.') + 1);
    if (kind === 'Transformer') {
      if (path.split(/[\\/]/).includes('..') || path.startsWith('/'))
        throw new FormatError(`${files.name}/modules.json: path '${path}' leads out of the folder`);
      found.transformer = path;
      const file = 'sentence_bert_config.json';
      const inside = path ? `${path}/${file}` : file;
      const json = (await files.has(inside)) ? await readJson(files, inside) : {};
      const length = isRecord(json) ? json.max_seq_length : undefined;
      if (typeof length === 'number' && length > 0) found.maxLength = length;
    } else if (kind === 'Pooling') found.pooling = poolingOf(await readJson(files, `${path}/config.json`), files.name);
    else if (kind === 'Normalize') found.normalize = true;
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
