/** @file BERT with heads. */
import { Dropout } from '../../nn/dropout.ts';
import { Linear } from '../../nn/linear.ts';
import type { Tensor } from '../../tensor/index.ts';
import { numLabels } from '../config.ts';
import { sequenceClassificationLoss } from '../losses.ts';
import { PreTrainedModel } from '../pretrained-model.ts';
import { type BertConfig, bertConfig } from './config.ts';
import { BertModel, type EncoderInputs } from './model.ts';

/** What heads give: logits and, where labels were given, their loss. */
export interface HeadOutput {
  logits: Tensor;
  /** Scalar. */
  loss?: Tensor;
}

/** BERT with a classifier of the first token (transformers.BertForSequenceClassification). */
export class BertForSequenceClassification extends PreTrainedModel<BertConfig> {
  static readonly definition = bertConfig;
  override readonly baseModelPrefix = 'bert';
  bert: BertModel;
  dropout: Dropout;
  classifier: Linear;

  constructor(config: BertConfig) {
    super(config);
    this.bert = new BertModel(config);
    this.dropout = new Dropout(config.classifierDropout ?? config.hiddenDropoutProb);
    this.classifier = new Linear(config.hiddenSize, numLabels(config));
  }

  /** @param inputs.labels int64 [batch], or float32 [batch, labels]; see `sequenceClassificationLoss`. */
  override forward({ labels, ...inputs }: EncoderInputs & { labels?: Tensor }): HeadOutput {
    const { poolerOutput, lastHiddenState } = this.bert.forward(inputs);
    const logits = this.classifier.forward(this.dropout.forward(poolerOutput ?? lastHiddenState.select(1, 0)));
    return labels ? { logits, loss: sequenceClassificationLoss(this.config, logits, labels) } : { logits };
  }
}
