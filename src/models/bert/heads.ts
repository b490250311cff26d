/** @file BERT with heads. */
import { Dropout } from '../../nn/dropout.ts';
import * as F from '../../nn/functional/index.ts';
import { Linear } from '../../nn/linear.ts';
import { Module, Parameter } from '../../nn/module.ts';
import { LayerNorm } from '../../nn/norm.ts';
import { type Tensor, zeros } from '../../tensor/index.ts';
import { activation } from '../activation.ts';
import { numLabels } from '../config.ts';
import type { EncoderOutput } from '../encoder.ts';
import {
  EncoderWithHead,
  type HeadOutput,
  type LabelledInputs,
  MaskedLanguageModel,
  MultipleChoiceModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from '../heads.ts';
import { type BertConfig, bertConfig } from './config.ts';
import { BertModel, upperCaseNorm } from './model.ts';

/** Probability of dropping numbers before a classifier. */
export const headDropout = (config: BertConfig) => config.classifierDropout ?? config.hiddenDropoutProb;

export const withoutPooler = { addPoolingLayer: false };
/** What the pooler gives, else the first token. */
export const pooled = ({ poolerOutput, lastHiddenState }: EncoderOutput) =>
  poolerOutput ?? lastHiddenState.select(1, 0);

/** BERT with a classifier of the first token (transformers.BertForSequenceClassification). */
export class BertForSequenceClassification extends SequenceClassificationModel<BertConfig> {
  static readonly definition = bertConfig;
  dropout: Dropout;
  classifier: Linear;

  constructor(config: BertConfig) {
    super(config, 'bert', new BertModel(config));
    this.dropout = new Dropout(headDropout(config));
    this.classifier = new Linear(config.hiddenSize, numLabels(config));
  }

  protected override classify(output: EncoderOutput): Tensor {
    return this.classifier.forward(this.dropout.forward(pooled(output)));
  }
}

/** BERT with a classifier of every token (transformers.BertForTokenClassification). */
export class BertForTokenClassification extends TokenClassificationModel<BertConfig> {
  static readonly definition = bertConfig;

  constructor(config: BertConfig) {
    super(config, 'bert', new BertModel(config, withoutPooler), headDropout(config));
  }
}

/** BERT that finds an answer in a text (transformers.BertForQuestionAnswering). */
export class BertForQuestionAnswering extends QuestionAnsweringModel<BertConfig> {
  static readonly definition = bertConfig;

  constructor(config: BertConfig) {
    super(config, 'bert', new BertModel(config, withoutPooler));
  }
}

/** BERT that picks one of several choices (transformers.BertForMultipleChoice). */
export class BertForMultipleChoice extends MultipleChoiceModel<BertConfig> {
  static readonly definition = bertConfig;
  dropout: Dropout;
  classifier: Linear;

  constructor(config: BertConfig) {
    super(config, 'bert', new BertModel(config));
    this.dropout = new Dropout(headDropout(config));
    this.classifier = new Linear(config.hiddenSize, 1);
  }

  protected override score(output: EncoderOutput): Tensor {
    return this.classifier.forward(this.dropout.forward(pooled(output)));
  }
}

class BertPredictionTransform extends Module {
  dense: Linear;
  layerNorm: LayerNorm;
  readonly act: (x: Tensor) => Tensor;

  constructor(config: BertConfig) {
    super();
    this.dense = new Linear(config.hiddenSize, config.hiddenSize);
    this.layerNorm = new LayerNorm(config.hiddenSize, { eps: config.layerNormEps });
    this.act = activation(config.hiddenAct);
  }

  protected override stateKey(property: string): string {
    return upperCaseNorm(property) ?? super.stateKey(property);
  }

  override forward(x: Tensor): Tensor {
    return this.layerNorm.forward(this.act(this.dense.forward(x)));
  }
}

class BertPredictions extends Module {
  bias: Parameter;
  transform: BertPredictionTransform;
  decoder: Linear;

  constructor(config: BertConfig) {
    super();
    this.bias = new Parameter(zeros([config.vocabSize]));
    this.transform = new BertPredictionTransform(config);
    this.decoder = new Linear(config.hiddenSize, config.vocabSize);
    this.decoder.bias = this.bias;
  }

  override forward(x: Tensor): Tensor {
    return this.decoder.forward(this.transform.forward(x));
  }
}

class BertOnlyMLMHead extends Module {
  predictions: BertPredictions;

  constructor(config: BertConfig) {
    super();
    this.predictions = new BertPredictions(config);
  }

  override forward(x: Tensor): Tensor {
    return this.predictions.forward(x);
  }
}

/** BERT that fills masks in, with the embedding's weights (transformers.BertForMaskedLM). */
export class BertForMaskedLM extends MaskedLanguageModel<BertConfig> {
  static readonly definition = bertConfig;
  cls: BertOnlyMLMHead;

  constructor(config: BertConfig) {
    const bert = new BertModel(config, withoutPooler);
    super(config, 'bert', bert);
    this.cls = new BertOnlyMLMHead(config);
    if (config.tieWordEmbeddings) this.cls.predictions.decoder.weight = bert.embeddings.wordEmbeddings.weight;
  }

  /** Without tied weights Python's model has a bias of its own in the decoder, so both are written. */
  override tiedKeys(): Readonly<Record<string, string>> {
    if (!this.config.tieWordEmbeddings) return {};
    return {
      'cls.predictions.decoder.weight': 'bert.embeddings.word_embeddings.weight',
      'cls.predictions.decoder.bias': 'cls.predictions.bias',
    };
  }

  protected override predict(hidden: Tensor): Tensor {
    return this.cls.forward(hidden);
  }
}

class BertOnlyNSPHead extends Module {
  seqRelationship: Linear;

  constructor(config: BertConfig) {
    super();
    this.seqRelationship = new Linear(config.hiddenSize, 2);
  }

  override forward(x: Tensor): Tensor {
    return this.seqRelationship.forward(x);
  }
}

/** BERT that says whether a text follows another: class 0 if it does (transformers.BertForNextSentencePrediction). */
export class BertForNextSentencePrediction extends EncoderWithHead<BertConfig> {
  static readonly definition = bertConfig;
  cls: BertOnlyNSPHead;

  constructor(config: BertConfig) {
    super(config, 'bert', new BertModel(config));
    this.cls = new BertOnlyNSPHead(config);
  }

  /** @param inputs.labels int64 [batch]: 0 if the second text follows the first, 1 if not. */
  override forward({ labels, ...inputs }: LabelledInputs): HeadOutput {
    const logits = this.cls.forward(pooled(this.backbone.forward(inputs)));
    return labels ? { logits, loss: F.crossEntropy(logits, labels) } : { logits };
  }
}
