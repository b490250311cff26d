/** @file Heads on encoders, written once for all families: what differs is said by a family's few lines. */
import type { ExportOptions } from '../hub/onnx/index.ts';
import { ShapeError } from '../ir/errors.ts';
import { formatShape } from '../ir/shape.ts';
import { Dropout } from '../nn/dropout.ts';
import * as F from '../nn/functional/index.ts';
import { Linear } from '../nn/linear.ts';
import type { Tensor } from '../tensor/index.ts';
import { checkIndices } from '../tensor/lift.ts';
import { numLabels } from './config.ts';
import type { EncoderConfig, EncoderInputs, EncoderModel, EncoderOutput } from './encoder.ts';
import { sequenceClassificationLoss, spanLoss, tokenLoss } from './losses.ts';
import { PreTrainedModel } from './pretrained-model.ts';

/** What heads give: logits and, where labels were given, their loss. */
export interface HeadOutput {
  logits: Tensor;
  /** Scalar. */
  loss?: Tensor;
}

/** Tokens and, for a loss, labels. */
export type LabelledInputs = EncoderInputs & { labels?: Tensor };

/**
 * Base of models that put a head on an encoder. The encoder's keys begin with the family's name (`bert.`), as in files.
 *
 *     class BertForRating extends EncoderWithHead<BertConfig> {
 *       static readonly definition = bertConfig;
 *       rating: nn.Linear;
 *       constructor(config: BertConfig) {
 *         super(config, 'bert', new BertModel(config));
 *         this.rating = new nn.Linear(config.hiddenSize, 1);
 *       }
 *       override forward({ labels, ...inputs }: LabelledInputs) {
 *         const logits = this.rating.forward(this.backbone.forward(inputs).lastHiddenState.mean(1));
 *         return labels ? { logits, loss: F.mseLoss(logits, labels) } : { logits };
 *       }
 *     }
 */
export abstract class EncoderWithHead<
  C extends EncoderConfig = EncoderConfig,
  B extends EncoderModel = EncoderModel,
> extends PreTrainedModel<C> {
  override readonly baseModelPrefix: string;
  backbone: B;

  /** @param prefix what the encoder is called in files. */
  constructor(config: C, prefix: string, backbone: B) {
    super(config);
    this.baseModelPrefix = prefix;
    this.backbone = backbone;
  }

  abstract override forward(inputs: EncoderInputs): unknown;

  protected override stateKey(property: string): string {
    return property === 'backbone' ? this.baseModelPrefix : super.stateKey(property);
  }

  override optionalKey(key: string): boolean {
    const prefix = `${this.baseModelPrefix}.`;
    return key.startsWith(prefix) && this.backbone.optionalKey(key.slice(prefix.length));
  }

  exampleInputs(): Record<string, Tensor> {
    return { ...this.backbone.exampleInputs() };
  }

  override exportOptions(): ExportOptions {
    return { ...super.exportOptions(), outputs: ['logits'] };
  }
}

/** A class for a text or a pair of texts, several labels at once, or numbers (transformers' ForSequenceClassification). */
export abstract class SequenceClassificationModel<C extends EncoderConfig> extends EncoderWithHead<C> {
  /** Logits [batch, labels] of what the encoder gives. */
  protected abstract classify(output: EncoderOutput): Tensor;

  /** @param inputs.labels int64 [batch], or float32 [batch, labels]; see `problemType`. */
  override forward({ labels, ...inputs }: LabelledInputs): HeadOutput {
    const logits = this.classify(this.backbone.forward(inputs));
    return labels ? { logits, loss: sequenceClassificationLoss(this.config, logits, labels) } : { logits };
  }
}

/** A class for every token (transformers' ForTokenClassification). */
export abstract class TokenClassificationModel<C extends EncoderConfig> extends EncoderWithHead<C> {
  dropout: Dropout;
  classifier: Linear;

  /** @param dropout probability of dropping a number that the classifier reads. */
  constructor(config: C, prefix: string, backbone: EncoderModel, dropout: number) {
    super(config, prefix, backbone);
    this.dropout = new Dropout(dropout);
    this.classifier = new Linear(config.hiddenSize, numLabels(config));
  }

  /** @param inputs.labels int64 [batch, sequence]; -100 is ignored. Gives logits [batch, sequence, labels]. */
  override forward({ labels, ...inputs }: LabelledInputs): HeadOutput {
    const { lastHiddenState } = this.backbone.forward(inputs);
    const logits = this.classifier.forward(this.dropout.forward(lastHiddenState));
    return labels ? { logits, loss: tokenLoss(logits, labels) } : { logits };
  }
}

export interface SpanOutput {
  /** [batch, sequence]: how well an answer begins at a token. */
  startLogits: Tensor;
  /** [batch, sequence]: how well it ends there. */
  endLogits: Tensor;
  /** Scalar. */
  loss?: Tensor;
}

/** Start and end of an answer in a text (transformers' ForQuestionAnswering). */
export abstract class QuestionAnsweringModel<C extends EncoderConfig> extends EncoderWithHead<C> {
  qaOutputs: Linear;
  dropout: Dropout;

  /** @param dropout probability of dropping a number that the head reads. */
  constructor(config: C, prefix: string, backbone: EncoderModel, dropout = 0) {
    super(config, prefix, backbone);
    if (numLabels(config) !== 2)
      throw new ShapeError(
        `${new.target.name}: a span has a start and an end, so the config must name 2 labels, found ${numLabels(config)}`,
      );
    this.qaOutputs = new Linear(config.hiddenSize, 2);
    this.dropout = new Dropout(dropout);
  }

  /**
   * @param inputs.startPositions index of the answer's first token, int64 [batch]; outside of the text is ignored.
   * @param inputs.endPositions index of its last token.
   */
  override forward({
    startPositions,
    endPositions,
    ...inputs
  }: EncoderInputs & { startPositions?: Tensor; endPositions?: Tensor }): SpanOutput {
    const { lastHiddenState } = this.backbone.forward(inputs);
    const logits = this.qaOutputs.forward(this.dropout.forward(lastHiddenState));
    const [startLogits, endLogits] = [logits.select(-1, 0), logits.select(-1, 1)];
    if (!startPositions || !endPositions) return { startLogits, endLogits };
    return { startLogits, endLogits, loss: spanLoss(startLogits, endLogits, startPositions, endPositions) };
  }

  override exportOptions(): ExportOptions {
    return { ...super.exportOptions(), outputs: ['startLogits', 'endLogits'] };
  }
}

/** Without entries that are undefined. */
const definedOnly = <T extends object>(record: T) =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };

/** One of several choices (transformers' ForMultipleChoice). */
export abstract class MultipleChoiceModel<C extends EncoderConfig> extends EncoderWithHead<C> {
  /** Scores [batch * choices, 1] of what the encoder gives. */
  protected abstract score(output: EncoderOutput): Tensor;

  /** All inputs are [batch, choices, sequence]. @param inputs.labels int64 [batch]. Gives logits [batch, choices]. */
  override forward({ labels, ...inputs }: LabelledInputs): HeadOutput {
    const { shape } = inputs.inputIds;
    if (shape.length !== 3)
      throw new ShapeError(`inputIds: expected [batch, choices, sequence], found ${formatShape(shape)}`);
    const [batch, choices, length] = shape;
    const flat = (tensor: Tensor | undefined) => tensor?.reshape([batch * choices, length]);
    const output = this.backbone.forward({
      inputIds: inputs.inputIds.reshape([batch * choices, length]),
      ...definedOnly({ attentionMask: flat(inputs.attentionMask), tokenTypeIds: flat(inputs.tokenTypeIds) }),
    });
    const logits = this.score(output).reshape([batch, choices]);
    if (!labels) return { logits };
    checkIndices(labels, choices, 'labels', 'choice', -100);
    return { logits, loss: F.crossEntropy(logits, labels) };
  }

  override exampleInputs(): Record<string, Tensor> {
    const pairs = Object.entries(super.exampleInputs());
    return Object.fromEntries(pairs.map(([key, tensor]) => [key, tensor.unsqueeze(0).expand([3, -1, -1])]));
  }

  override exportOptions(): ExportOptions {
    return { ...super.exportOptions(), input: ['batch_size', 'num_choices', 'sequence_length'] };
  }
}

/** The tokens behind masks (transformers' ForMaskedLM). */
export abstract class MaskedLanguageModel<C extends EncoderConfig> extends EncoderWithHead<C> {
  /** Logits [batch, sequence, vocabulary] of the encoder's last state. */
  protected abstract predict(hidden: Tensor): Tensor;

  /** @param inputs.labels int64 [batch, sequence]: the token, -100 where none is asked for. */
  override forward({ labels, ...inputs }: LabelledInputs): HeadOutput {
    const logits = this.predict(this.backbone.forward(inputs).lastHiddenState);
    return labels ? { logits, loss: tokenLoss(logits, labels) } : { logits };
  }
}
