/** @file What encoders of texts have in common: inputs, outputs, how they are exported. */
import type { ExportOptions } from '../hub/onnx/index.ts';
import { ShapeError } from '../ir/errors.ts';
import { formatShape } from '../ir/shape.ts';
import type { Embedding } from '../nn/embedding.ts';
import { fromData, type Tensor } from '../tensor/index.ts';
import { checkIndices } from '../tensor/lift.ts';
import type { PretrainedConfig } from './config.ts';
import { PreTrainedModel } from './pretrained-model.ts';

/** Tokens of a batch of texts, as tokenizers give them. */
export interface EncoderInputs {
  /** int64 [batch, sequence]. */
  inputIds: Tensor;
  /** 1 at tokens, 0 at padding; int64 [batch, sequence]. Default: no padding. */
  attentionMask?: Tensor;
  /** Which of two texts a token belongs to; int64 [batch, sequence]. Default: the first. Not every family has them. */
  tokenTypeIds?: Tensor;
}

export interface EncoderOutput {
  /** [batch, sequence, hidden]. */
  lastHiddenState: Tensor;
  /** [batch, hidden]: the first token through a dense layer and tanh; null in models without that layer. */
  poolerOutput: Tensor | null;
  /** The embeddings and every layer's output. */
  hiddenStates: Tensor[];
}

/** What every encoder's configuration has. */
export type EncoderConfig = PretrainedConfig & {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly maxPositionEmbeddings: number;
};

/** An encoder without a head. */
export abstract class EncoderModel<C extends EncoderConfig = EncoderConfig> extends PreTrainedModel<C> {
  abstract override forward(inputs: EncoderInputs): EncoderOutput;

  /** Two texts, one of them padded. */
  exampleInputs(): { [K in keyof EncoderInputs]-?: Tensor } | Omit<EncoderInputs, 'tokenTypeIds'> {
    const length = Math.min(8, this.maxLength);
    const { vocabSize, padTokenId } = this.config;
    const ids = (of: (row: number, column: number) => number) =>
      fromData(
        Float64Array.from({ length: 2 * length }, (_, i) => of(Math.trunc(i / length), i % length)),
        [2, length],
        { dtype: 'int64' },
      );
    const isToken = (row: number, column: number) => row === 0 || column < length / 2;
    const token = (row: number, column: number) => (7 + 5 * row + 3 * column) % vocabSize;
    return {
      inputIds: ids((row, column) => (isToken(row, column) ? token(row, column) : (padTokenId ?? 0))),
      attentionMask: ids((row, column) => (isToken(row, column) ? 1 : 0)),
      ...(this.readsTokenTypes
        ? { tokenTypeIds: ids((row, column) => (row === 0 && column > length / 2 ? 1 : 0)) }
        : {}),
    };
  }

  /** Tokens of a text at most. */
  get maxLength(): number {
    return this.config.maxPositionEmbeddings;
  }

  /** Whether the two texts of a pair are told apart by `tokenTypeIds`. */
  get readsTokenTypes(): boolean {
    const { typeVocabSize } = this.config;
    return typeof typeVocabSize === 'number' && typeVocabSize > 1;
  }

  override exportOptions(): ExportOptions {
    return { ...super.exportOptions(), outputs: ['lastHiddenState'] };
  }
}

/**
 * Rows of the tokens: [batch, sequence] gives [batch, sequence, hidden].
 * @throws ShapeError for more tokens than there are positions; ArgumentError for an id outside of the vocabulary.
 */
export function embedTokens(words: Embedding, inputIds: Tensor, maxLength: number): Tensor {
  const [, length] = inputIds.shape;
  if (inputIds.ndim !== 2 || length > maxLength)
    throw new ShapeError(
      `inputIds: expected [batch, sequence] with at most ${maxLength} tokens, found ${formatShape(inputIds.shape)}; truncate with the tokenizer's maxLength`,
    );
  checkIndices(inputIds, words.numEmbeddings, 'inputIds', 'token id');
  return words.forward(inputIds);
}
