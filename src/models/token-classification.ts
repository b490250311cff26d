/** @file Token classification with a pretrained model: labels of tokens, of words, and passages of one label. */
import type { Encoding, Tokenizer } from '../hub/tokenizer/index.ts';
import type { Tensor } from '../tensor/index.ts';
import { AutoModelForTokenClassification } from './auto.ts';
import { inference, loadWithTokenizer, longestInput } from './inference.ts';
import type { FromPretrainedOptions, PreTrainedModel } from './pretrained-model.ts';
import { isWithinWord } from './question-answering-spans.ts';
import { labelsOfModel } from './text-classification.ts';
import type { TextBatch } from './tokenized-texts.ts';

/** A token, or a passage, with its label. */
export interface TokenLabel {
  /** The label; of passages without `B-` or `I-`. */
  readonly entity: string;
  /** From 0 to 1; of a passage the mean of its parts. */
  readonly score: number;
  /** `text.slice(start, end)`. */
  readonly word: string;
  /** In UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

/**
 * How tokens become passages, as in transformers: `none` gives tokens; `simple` joins neighbouring tokens of one label;
 * the others give each word one label first, that of its first token, of the most certain one, or of the mean.
 */
export type AggregationStrategy = 'none' | 'simple' | 'first' | 'max' | 'average';

export interface ClassifyTokensOptions {
  /** Default 'none', as in transformers. */
  readonly aggregationStrategy?: AggregationStrategy;
  /** Labels that are left out; default `O`. */
  readonly ignoreLabels?: readonly string[];
  /** Texts per batch; default 16. */
  readonly batchSize?: number;
}

/** Probabilities of the labels of a piece of text. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly scores: Float64Array;
}

/**
 * A model that labels tokens, with its tokenizer.
 *
 *     const tagger = await TokenClassifier.fromPretrained('runs/names');
 *     await tagger.classify(['Ada lives in Paris.'], { aggregationStrategy: 'first' });
 *     // [[{ entity: 'PER', score: 0.99, word: 'Ada', start: 0, end: 3 }, { entity: 'LOC', ... }]]
 */
export class TokenClassifier {
  readonly model: PreTrainedModel;
  readonly tokenizer: Tokenizer;
  readonly labels: readonly string[];
  /** Tokens of a text that are read; the rest is cut off. */
  readonly maxLength: number;
  readonly #run: (batch: TextBatch) => Promise<Tensor>;

  constructor(model: PreTrainedModel, tokenizer: Tokenizer) {
    this.model = model;
    this.tokenizer = tokenizer;
    this.labels = labelsOfModel(model);
    this.maxLength = longestInput(model, tokenizer);
    this.#run = inference(model, 'AutoModelForTokenClassification', (output) => output('logits').softmax(-1));
  }

  /**
   * Loads model and tokenizer of a folder or a hub repository.
   * @throws as `AutoModelForTokenClassification.fromPretrained` and `AutoTokenizer.fromPretrained`.
   */
  static async fromPretrained(source: string, options: FromPretrainedOptions = {}): Promise<TokenClassifier> {
    return new TokenClassifier(...(await loadWithTokenizer(AutoModelForTokenClassification, source, options)));
  }

  /** Labelled tokens or passages of texts, in the order of the texts. @throws ArgumentError for what is no text. */
  async classify(
    texts: readonly string[],
    { aggregationStrategy = 'none', ignoreLabels = ['O'], batchSize = 16 }: ClassifyTokensOptions = {},
  ): Promise<TokenLabel[][]> {
    const { maxLength } = this;
    const options = { truncation: true, maxLength, returnOffsetsMapping: true };
    const encodings = this.tokenizer.encodeBatch(texts, options);
    const out: TokenLabel[][] = texts.map(() => []);
    const order = Array.from(texts.keys()).sort((a, b) => encodings[b].inputIds.length - encodings[a].inputIds.length);
    const before = this.model.training;
    this.model.eval();
    try {
      for (let at = 0; at < order.length; at += batchSize) {
        const rows = order.slice(at, at + batchSize);
        const tokens = rows.map((i) => encodings[i]);
        const all = await this.#probabilities(tokens);
        for (const [k, i] of rows.entries())
          out[i] = this.#label(texts[i], piecesOf(tokens[k], all[k], this.labels.length), aggregationStrategy).filter(
            ({ entity }) => !ignoreLabels.includes(entity),
          );
      }
    } finally {
      this.model.train(before);
    }
    return out;
  }

  /** Probabilities of each token's labels, token after token, by text. */
  async #probabilities(rows: readonly Encoding[]): Promise<ArrayLike<number>[]> {
    // Few distinct lengths: each is a program to compile.
    const longest = Math.max(...rows.map(({ inputIds }) => inputIds.length));
    const length = Math.min(this.maxLength, Math.ceil(longest / 32) * 32);
    const batch = this.tokenizer.pad(rows, { padding: 'maxLength', maxLength: length });
    const result = await this.#run(batch);
    const data = await result.data();
    const width = result.shape[1] * result.shape[2];
    return rows.map((_, i) => Array.from(data.subarray(i * width, (i + 1) * width)));
  }

  #label(text: string, pieces: readonly Piece[], strategy: AggregationStrategy): TokenLabel[] {
    const groups = strategy === 'none' || strategy === 'simple' ? pieces : wordsOf(text, pieces, strategy);
    const found = groups.map(({ start, end, scores }): TokenLabel => {
      const best = scores.reduce((top, score, i) => (score > scores[top] ? i : top), 0);
      return { entity: this.labels[best], score: scores[best], word: text.slice(start, end), start, end };
    });
    return strategy === 'none' ? found : join(text, found);
  }
}

function piecesOf(
  { sequenceIds, offsetMapping = [] }: Encoding,
  probabilities: ArrayLike<number>,
  width: number,
): Piece[] {
  return sequenceIds.flatMap((sequence, i) => {
    if (sequence === null) return [];
    const scores = Float64Array.from({ length: width }, (_, c) => probabilities[i * width + c]);
    const [start, end] = offsetMapping[i];
    return [{ start, end, scores }];
  });
}

/** Pieces of one word as one, with scores by the strategy. */
function wordsOf(text: string, pieces: readonly Piece[], strategy: 'first' | 'max' | 'average'): Piece[] {
  const words: Piece[][] = [];
  for (const piece of pieces) {
    const last = words.at(-1)?.at(-1);
    if (last && last.end === piece.start && isWithinWord(text, piece.start)) words.at(-1)?.push(piece);
    else words.push([piece]);
  }
  const certainty = ({ scores }: Piece) => Math.max(...scores);
  return words.map((word) => {
    const place = { start: word[0].start, end: word[word.length - 1].end };
    if (strategy === 'first') return { ...place, scores: word[0].scores };
    if (strategy === 'max')
      return { ...place, scores: word.reduce((a, b) => (certainty(b) > certainty(a) ? b : a)).scores };
    return {
      ...place,
      scores: word[0].scores.map((_, c) => word.reduce((sum, { scores }) => sum + scores[c], 0) / word.length),
    };
  });
}

/** Neighbours of one label as one; `B-` begins a new one. */
function join(text: string, parts: readonly TokenLabel[]): TokenLabel[] {
  const groups: TokenLabel[][] = [];
  const tagOf = ({ entity }: TokenLabel) => entity.replace(/^[BI]-/, '');
  for (const part of parts) {
    const group = groups.at(-1);
    if (group && tagOf(group[0]) === tagOf(part) && !part.entity.startsWith('B-')) group.push(part);
    else groups.push([part]);
  }
  return groups.map((group) => {
    const [{ start }, { end }] = [group[0], group[group.length - 1]];
    const score = group.reduce((sum, part) => sum + part.score, 0) / group.length;
    return { entity: tagOf(group[0]), score, word: text.slice(start, end), start, end };
  });
}
