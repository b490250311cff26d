/** @file DistilBERT with heads. */
import { Dropout } from '../../nn/dropout.ts';
import { Linear } from '../../nn/linear.ts';
import { LayerNorm } from '../../nn/norm.ts';
import type { Tensor } from '../../tensor/index.ts';
import { activation } from '../activation.ts';
import { numLabels } from '../config.ts';
import type { EncoderOutput } from '../encoder.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from '../heads.ts';
import { type DistilBertConfig, distilbertConfig } from './config.ts';
import { DistilBertModel } from './model.ts';

/** DistilBERT with a classifier of the first token (transformers.DistilBertForSequenceClassification). */
export class DistilBertForSequenceClassification extends SequenceClassificationModel<DistilBertConfig> {
  static readonly definition = distilbertConfig;
  preClassifier: Linear;
  classifier: Linear;
  dropout: Dropout;

  constructor(config: DistilBertConfig) {
    super(config, 'distilbert', new DistilBertModel(config));
    this.preClassifier = new Linear(config.hiddenSize, config.hiddenSize);
    this.classifier = new Linear(config.hiddenSize, numLabels(config));
    this.dropout = new Dropout(config.seqClassifDropout);
  }

  protected override classify({ lastHiddenState }: EncoderOutput): Tensor {
    const first = this.preClassifier.forward(lastHiddenState.select(1, 0)).relu();
    return this.classifier.forward(this.dropout.forward(first));
  }
}

/** DistilBERT with a classifier of every token (transformers.DistilBertForTokenClassification). */
export class DistilBertForTokenClassification extends TokenClassificationModel<DistilBertConfig> {
  static readonly definition = distilbertConfig;

  constructor(config: DistilBertConfig) {
    super(config, 'distilbert', new DistilBertModel(config), config.hiddenDropoutProb);
  }
}

/** DistilBERT that finds an answer in a text (transformers.DistilBertForQuestionAnswering). */
export class DistilBertForQuestionAnswering extends QuestionAnsweringModel<DistilBertConfig> {
  static readonly definition = distilbertConfig;

  constructor(config: DistilBertConfig) {
    super(config, 'distilbert', new DistilBertModel(config), config.qaDropout);
  }
}

/** DistilBERT that picks one of several choices (transformers.DistilBertForMultipleChoice). */
export class DistilBertForMultipleChoice extends MultipleChoiceModel<DistilBertConfig> {
  static readonly definition = distilbertConfig;
  preClassifier: Linear;
  classifier: Linear;
  dropout: Dropout;

  constructor(config: DistilBertConfig) {
    super(config, 'distilbert', new DistilBertModel(config));
    this.preClassifier = new Linear(config.hiddenSize, config.hiddenSize);
    this.classifier = new Linear(config.hiddenSize, 1);
    this.dropout = new Dropout(config.seqClassifDropout);
  }

  protected override score({ lastHiddenState }: EncoderOutput): Tensor {
    const first = this.preClassifier.forward(lastHiddenState.select(1, 0)).relu();
    return this.classifier.forward(this.dropout.forward(first));
  }
}

/** DistilBERT that fills masks in, with the embedding's weights (transformers.DistilBertForMaskedLM). */
export class DistilBertForMaskedLM extends MaskedLanguageModel<DistilBertConfig> {
  static readonly definition = distilbertConfig;
  vocabTransform: Linear;
  vocabLayerNorm: LayerNorm;
  vocabProjector: Linear;

  constructor(config: DistilBertConfig) {
    const distilbert = new DistilBertModel(config);
    super(config, 'distilbert', distilbert);
    this.vocabTransform = new Linear(config.hiddenSize, config.hiddenSize);
    this.vocabLayerNorm = new LayerNorm(config.hiddenSize, { eps: 1e-12 });
    this.vocabProjector = new Linear(config.hiddenSize, config.vocabSize);
    if (config.tieWordEmbeddings) this.vocabProjector.weight = distilbert.embeddings.wordEmbeddings.weight;
  }

  override tiedKeys(): Readonly<Record<string, string>> {
    return { 'vocab_projector.weight': 'distilbert.embeddings.word_embeddings.weight' };
  }

  protected override predict(hidden: Tensor): Tensor {
    const act = activation(this.config.hiddenAct);
    return this.vocabProjector.forward(this.vocabLayerNorm.forward(act(this.vocabTransform.forward(hidden))));
  }
}
