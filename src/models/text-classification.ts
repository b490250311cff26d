/** @file Text classification with a pretrained model: classes and scores of texts, and folders that others open, too. */
import type { Tokenizer } from '../hub/tokenizer/index.ts';
import type { NDArray } from '../ir/ndarray.ts';
import type { Tensor } from '../tensor/index.ts';
import { AutoModelForSequenceClassification } from './auto.ts';
import { numLabels } from './config.ts';
import { inference, loadWithTokenizer, longestInput } from './inference.ts';
import type { FromPretrainedOptions, PreTrainedModel } from './pretrained-model.ts';
import { orderByLength, type TextBatch, type TokenizedTexts, textLoader, tokenizeTexts } from './tokenized-texts.ts';

/** A class with what the model gives it: probabilities of one label among several, or of each label by itself. */
export interface LabelScore {
  readonly label: string;
  /** From 0 to 1; for a regression the number itself. */
  readonly score: number;
}

export interface ClassifyOptions {
  /** Classes to name, the most probable first; default 1. */
  readonly topK?: number;
  /** Texts per batch; default 32. */
  readonly batchSize?: number;
}

/** Names of the classes of a model, by index. */
export function labelsOfModel({ config }: PreTrainedModel): string[] {
  return Array.from({ length: numLabels(config) }, (_, i) => config.id2label?.[i] ?? `LABEL_${i}`);
}

/**
 * A model for text classification with its tokenizer.
 *
 *     const classifier = await TextClassifier.fromPretrained('runs/imdb');
 *     await classifier.classify(['magnificent']); // [[{ label: 'positive', score: 0.98 }]]
 */
export class TextClassifier {
  readonly model: PreTrainedModel;
  readonly tokenizer: Tokenizer;
  /** Names of the classes. */
  readonly labels: readonly string[];
  /** Tokens of a text that are read; the rest is cut off. */
  readonly maxLength: number;
  readonly #run: (batch: TextBatch) => Promise<Tensor>;

  constructor(model: PreTrainedModel, tokenizer: Tokenizer) {
    this.model = model;
    this.tokenizer = tokenizer;
    this.labels = labelsOfModel(model);
    this.maxLength = longestInput(model, tokenizer);
    this.#run = inference(model, 'AutoModelForSequenceClassification', (output) => output('logits'));
  }

  /**
   * Loads model and tokenizer of a folder or a hub repository.
   * @throws as `AutoModelForSequenceClassification.fromPretrained` and `AutoTokenizer.fromPretrained`.
   */
  static async fromPretrained(source: string, options: FromPretrainedOptions = {}): Promise<TextClassifier> {
    return new TextClassifier(...(await loadWithTokenizer(AutoModelForSequenceClassification, source, options)));
  }

  /** Classes of texts, in the order of the texts. An empty text is classified as such. @throws ArgumentError for no text. */
  async classify(texts: readonly string[], { topK = 1, batchSize }: ClassifyOptions = {}): Promise<LabelScore[][]> {
    const logits = await this.logits(texts, batchSize === undefined ? {} : { batchSize });
    const [, width] = logits.shape;
    return texts.map((_, i) => {
      const scores = this.#scores(Array.from(logits.data.subarray(i * width, (i + 1) * width)));
      const named = scores.map((score, c) => ({ label: this.labels[c], score }));
      return named.sort((a, b) => b.score - a.score).slice(0, topK);
    });
  }

  /** The model's numbers [texts, classes], in the order of the texts, in evaluation mode. */
  async logits(
    texts: readonly string[] | TokenizedTexts,
    { batchSize = 32, onBatch }: { batchSize?: number; onBatch?: (texts: number) => void } = {},
  ): Promise<NDArray> {
    const { maxLength } = this;
    const tokens = isTokenized(texts) ? texts : await tokenizeTexts(this.tokenizer, texts, { maxLength });
    const width = this.labels.length;
    const data = new Float32Array(tokens.length * width);
    const order = orderByLength(tokens);
    const before = this.model.training;
    this.model.eval();
    let done = 0;
    try {
      for await (const batch of textLoader(tokens, { batchSize })) {
        const rows = await (await this.#run(batch)).data();
        const count = batch.inputIds.shape[0];
        for (let i = 0; i < count; i++) data.set(rows.subarray(i * width, (i + 1) * width), order[done + i] * width);
        done += count;
        onBatch?.(count);
      }
    } finally {
      this.model.train(before);
    }
    return { data, shape: [tokens.length, width], dtype: 'float32' };
  }

  #scores(logits: readonly number[]): number[] {
    const { problemType } = this.model.config;
    if (problemType === 'regression') return [...logits];
    if (problemType === 'multi_label_classification' || logits.length === 1)
      return logits.map((x) => 1 / (1 + Math.exp(-x)));
    const top = Math.max(...logits);
    const powers = logits.map((x) => Math.exp(x - top));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((p) => p / sum);
  }
}

const isTokenized = (texts: readonly string[] | TokenizedTexts): texts is TokenizedTexts => !Array.isArray(texts);
