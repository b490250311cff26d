/** @file Sentence encoders: texts as vectors, in the folders of Python's sentence-transformers. */
import type { ExportOptions } from '../hub/onnx/index.ts';
import { openSource } from '../hub/source.ts';
import { AutoTokenizer, type Tokenizer } from '../hub/tokenizer/index.ts';
import { ArgumentError, UnsupportedError } from '../ir/errors.ts';
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
import {
  type Pooling,
  readModules,
  type SentenceEncoderOptions,
  type SentenceFiles,
  sentenceFiles,
} from './sentence-files.ts';
import { orderByLength, type TextBatch, textLoader, tokenizeTexts } from './tokenized-texts.ts';

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
  /** What the files that it was read from say. */
  #kept: SentenceFiles = {};

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
    const { transformer, kept, ...found } = await readModules(files);
    const backbone = await AutoModel.fromPretrained(transformer ? `${source}/${transformer}` : source, options);
    if (!(backbone instanceof EncoderModel))
      throw new UnsupportedError(`${source}: ${backbone.constructor.name} is no encoder of texts`);
    const tokenizer = await AutoTokenizer.fromPretrained(transformer ? `${source}/${transformer}` : source, options);
    const encoder = new SentenceEncoder(backbone, tokenizer, { ...found, ...options }).eval();
    encoder.#kept = kept;
    return encoder;
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

  /**
   * Writes a folder that Python's `SentenceTransformer(folder)` and `AutoModel.from_pretrained(folder)` read. What the files
   * that it was loaded from say besides (prompts, versions, settings that are not known here) is written as it was.
   * @throws FileError.
   */
  async savePretrained(folder: string): Promise<void> {
    const { path, fs } = nodeFiles();
    await this.backbone.savePretrained(folder);
    await this.tokenizer?.savePretrained(folder);
    for (const [file, json] of sentenceFiles(this, this.#kept)) {
      await fs.mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFileAtomic(path.join(folder, file), `${JSON.stringify(json, null, 2)}\n`);
    }
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
