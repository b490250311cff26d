/** @file RoBERTa with heads. */
import { Dropout } from '../../nn/dropout.ts';
import * as F from '../../nn/functional/index.ts';
import { Linear } from '../../nn/linear.ts';
import { Module, Parameter } from '../../nn/module.ts';
import { LayerNorm } from '../../nn/norm.ts';
import { type Tensor, zeros } from '../../tensor/index.ts';
import { headDropout, pooled, withoutPooler } from '../bert/heads.ts';
import { numLabels } from '../config.ts';
import type { EncoderOutput } from '../encoder.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from '../heads.ts';
import { type RobertaConfig, robertaConfig } from './config.ts';
import { RobertaModel } from './model.ts';

class RobertaClassificationHead extends Module {
  dense: Linear;
  dropout: Dropout;
  outProj: Linear;

  constructor(config: RobertaConfig) {
    super();
    this.dense = new Linear(config.hiddenSize, config.hiddenSize);
    this.dropout = new Dropout(headDropout(config));
    this.outProj = new Linear(config.hiddenSize, numLabels(config));
  }

  override forward(x: Tensor): Tensor {
    const y = this.dense.forward(this.dropout.forward(x)).tanh();
    return this.outProj.forward(this.dropout.forward(y));
  }
}

/** RoBERTa with a classifier of the first token (transformers.RobertaForSequenceClassification). */
export class RobertaForSequenceClassification extends SequenceClassificationModel<RobertaConfig> {
  static readonly definition = robertaConfig;
  classifier: RobertaClassificationHead;

  constructor(config: RobertaConfig) {
    super(config, 'roberta', new RobertaModel(config, withoutPooler));
    this.classifier = new RobertaClassificationHead(config);
  }

  protected override classify({ lastHiddenState }: EncoderOutput): Tensor {
    return this.classifier.forward(lastHiddenState.select(1, 0));
  }
}

/** RoBERTa with a classifier of every token (transformers.RobertaForTokenClassification). */
export class RobertaForTokenClassification extends TokenClassificationModel<RobertaConfig> {
  static readonly definition = robertaConfig;

  constructor(config: RobertaConfig) {
    super(config, 'roberta', new RobertaModel(config, withoutPooler), headDropout(config));
  }
}

/** RoBERTa that finds an answer in a text (transformers.RobertaForQuestionAnswering). */
export class RobertaForQuestionAnswering extends QuestionAnsweringModel<RobertaConfig> {
  static readonly definition = robertaConfig;

  constructor(config: RobertaConfig) {
    super(config, 'roberta', new RobertaModel(config, withoutPooler));
  }
}

/** RoBERTa that picks one of several choices (transformers.RobertaForMultipleChoice). */
export class RobertaForMultipleChoice extends MultipleChoiceModel<RobertaConfig> {
  static readonly definition = robertaConfig;
  dropout: Dropout;
  classifier: Linear;

  constructor(config: RobertaConfig) {
    super(config, 'roberta', new RobertaModel(config));
    this.dropout = new Dropout(config.hiddenDropoutProb);
    this.classifier = new Linear(config.hiddenSize, 1);
  }

  protected override score(output: EncoderOutput): Tensor {
    return this.classifier.forward(this.dropout.forward(pooled(output)));
  }
}

class RobertaLMHead extends Module {
  bias: Parameter;
  dense: Linear;
  layerNorm: LayerNorm;
  decoder: Linear;

  constructor(config: RobertaConfig) {
    super();
    this.bias = new Parameter(zeros([config.vocabSize]));
    this.dense = new Linear(config.hiddenSize, config.hiddenSize);
    this.layerNorm = new LayerNorm(config.hiddenSize, { eps: config.layerNormEps });
    this.decoder = new Linear(config.hiddenSize, config.vocabSize);
    this.decoder.bias = this.bias;
  }

  override forward(x: Tensor): Tensor {
    return this.decoder.forward(this.layerNorm.forward(F.gelu(this.dense.forward(x))));
  }
}

/** RoBERTa that fills masks in, with the embedding's weights (transformers.RobertaForMaskedLM). */
export class RobertaForMaskedLM extends MaskedLanguageModel<RobertaConfig> {
  static readonly definition = robertaConfig;
  lmHead: RobertaLMHead;

  constructor(config: RobertaConfig) {
    const roberta = new RobertaModel(config, withoutPooler);
    super(config, 'roberta', roberta);
    this.lmHead = new RobertaLMHead(config);
    if (config.tieWordEmbeddings) this.lmHead.decoder.weight = roberta.embeddings.wordEmbeddings.weight;
  }

  /** Without tied weights Python's model has a bias of its own in the decoder, so both are written. */
  override tiedKeys(): Readonly<Record<string, string>> {
    if (!this.config.tieWordEmbeddings) return {};
    return {
      'lm_head.decoder.weight': 'roberta.embeddings.word_embeddings.weight',
      'lm_head.decoder.bias': 'lm_head.bias',
    };
  }

  protected override predict(hidden: Tensor): Tensor {
    return this.lmHead.forward(hidden);
  }
}
