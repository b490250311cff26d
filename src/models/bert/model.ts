/** @file BERT's encoder (Devlin et al. 2019), which RoBERTa and the MiniLM sentence encoders share. */
import { ShapeError } from '../../ir/errors.ts';
import { formatShape } from '../../ir/shape.ts';
import { ModuleList } from '../../nn/containers.ts';
import { Dropout } from '../../nn/dropout.ts';
import { Embedding } from '../../nn/embedding.ts';
import * as F from '../../nn/functional/index.ts';
import { Linear } from '../../nn/linear.ts';
import { Module } from '../../nn/module.ts';
import { LayerNorm } from '../../nn/norm.ts';
import { arange, type Tensor, zeros } from '../../tensor/index.ts';
import { activation } from '../activation.ts';
import { attentionMaskOf } from '../masks.ts';
import { PreTrainedModel } from '../pretrained-model.ts';
import { type BertConfig, bertConfig } from './config.ts';

/** Tokens of a batch of texts, as tokenizers give them. */
export interface EncoderInputs {
  /** int64 [batch, sequence]. */
  inputIds: Tensor;
  /** 1 at tokens, 0 at padding; int64 [batch, sequence]. Default: no padding. */
  attentionMask?: Tensor;
  /** Which of two texts a token belongs to; int64 [batch, sequence]. Default: the first. */
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

/** State-dict key LayerNorm, as the first BERT had it. */
const upperCaseNorm = (property: string) => (property === 'layerNorm' ? 'LayerNorm' : undefined);

class BertEmbeddings extends Module {
  wordEmbeddings: Embedding;
  positionEmbeddings: Embedding;
  tokenTypeEmbeddings: Embedding;
  layerNorm: LayerNorm;
  dropout: Dropout;

  constructor(config: BertConfig) {
    super();
    this.wordEmbeddings = new Embedding(config.vocabSize, config.hiddenSize, { paddingIdx: config.padTokenId ?? null });
    this.positionEmbeddings = new Embedding(config.maxPositionEmbeddings, config.hiddenSize);
    this.tokenTypeEmbeddings = new Embedding(config.typeVocabSize, config.hiddenSize);
    this.layerNorm = new LayerNorm(config.hiddenSize, { eps: config.layerNormEps });
    this.dropout = new Dropout(config.hiddenDropoutProb);
  }

  protected override stateKey(property: string): string {
    return upperCaseNorm(property) ?? super.stateKey(property);
  }

  override forward({ inputIds, tokenTypeIds }: EncoderInputs): Tensor {
    const [, length] = inputIds.shape;
    const limit = this.positionEmbeddings.numEmbeddings;
    if (inputIds.ndim !== 2 || length > limit)
      throw new ShapeError(
        `inputIds: expected [batch, sequence] with at most ${limit} tokens, found ${formatShape(inputIds.shape)}; truncate with the tokenizer's maxLength`,
      );
    const words = this.wordEmbeddings.forward(inputIds);
    const types = this.tokenTypeEmbeddings.forward(tokenTypeIds ?? zeros(inputIds.shape, { dtype: 'int64' }));
    const positions = this.positionEmbeddings.forward(arange(length));
    return this.dropout.forward(this.layerNorm.forward(words.add(types).add(positions)));
  }
}

class BertSelfAttention extends Module {
  readonly heads: number;
  readonly dropoutP: number;
  query: Linear;
  key: Linear;
  value: Linear;

  constructor(config: BertConfig) {
    super();
    const { hiddenSize } = config;
    this.heads = config.numAttentionHeads;
    this.dropoutP = config.attentionProbsDropoutProb;
    this.query = new Linear(hiddenSize, hiddenSize);
    this.key = new Linear(hiddenSize, hiddenSize);
    this.value = new Linear(hiddenSize, hiddenSize);
  }

  override forward(x: Tensor, attnMask: Tensor | null): Tensor {
    const [batch, length, hidden] = x.shape;
    const split = (y: Tensor) => y.reshape([batch, length, this.heads, hidden / this.heads]).transpose(1, 2);
    const [q, k, v] = [this.query, this.key, this.value].map((layer) => split(layer.forward(x)));
    const dropoutP = this.training ? this.dropoutP : 0;
    const y = F.scaledDotProductAttention(q, k, v, { attnMask, dropoutP });
    return y.transpose(1, 2).reshape([batch, length, hidden]);
  }
}

/** A dense layer, dropout, and layer norm of the sum with what came before. */
class BertAddNorm extends Module {
  dense: Linear;
  layerNorm: LayerNorm;
  dropout: Dropout;

  constructor(inFeatures: number, config: BertConfig) {
    super();
    this.dense = new Linear(inFeatures, config.hiddenSize);
    this.layerNorm = new LayerNorm(config.hiddenSize, { eps: config.layerNormEps });
    this.dropout = new Dropout(config.hiddenDropoutProb);
  }

  protected override stateKey(property: string): string {
    return upperCaseNorm(property) ?? super.stateKey(property);
  }

  override forward(x: Tensor, residual: Tensor): Tensor {
    return this.layerNorm.forward(this.dropout.forward(this.dense.forward(x)).add(residual));
  }
}

class BertAttention extends Module {
  self: BertSelfAttention;
  output: BertAddNorm;

  constructor(config: BertConfig) {
    super();
    this.self = new BertSelfAttention(config);
    this.output = new BertAddNorm(config.hiddenSize, config);
  }

  override forward(x: Tensor, attnMask: Tensor | null): Tensor {
    return this.output.forward(this.self.forward(x, attnMask), x);
  }
}

class BertIntermediate extends Module {
  dense: Linear;
  readonly act: (x: Tensor) => Tensor;

  constructor(config: BertConfig) {
    super();
    this.dense = new Linear(config.hiddenSize, config.intermediateSize);
    this.act = activation(config.hiddenAct);
  }

  override forward(x: Tensor): Tensor {
    return this.act(this.dense.forward(x));
  }
}

class BertLayer extends Module {
  attention: BertAttention;
  intermediate: BertIntermediate;
  output: BertAddNorm;

  constructor(config: BertConfig) {
    super();
    this.attention = new BertAttention(config);
    this.intermediate = new BertIntermediate(config);
    this.output = new BertAddNorm(config.intermediateSize, config);
  }

  override forward(x: Tensor, attnMask: Tensor | null): Tensor {
    const y = this.attention.forward(x, attnMask);
    return this.output.forward(this.intermediate.forward(y), y);
  }
}

class BertEncoder extends Module {
  layer: ModuleList<BertLayer>;

  constructor(config: BertConfig) {
    super();
    this.layer = new ModuleList(Array.from({ length: config.numHiddenLayers }, () => new BertLayer(config)));
  }

  /** The input and the output of every layer. */
  override forward(x: Tensor, attnMask: Tensor | null): Tensor[] {
    const states = [x];
    for (const layer of this.layer) states.push(layer.forward(states[states.length - 1], attnMask));
    return states;
  }
}

class BertPooler extends Module {
  dense: Linear;

  constructor(config: BertConfig) {
    super();
    this.dense = new Linear(config.hiddenSize, config.hiddenSize);
  }

  override forward(x: Tensor): Tensor {
    return this.dense.forward(x.select(1, 0)).tanh();
  }
}

/** BERT without a head (transformers.BertModel). MiniLM and other sentence encoders are such models too. */
export class BertModel extends PreTrainedModel<BertConfig> {
  static readonly definition = bertConfig;
  embeddings: BertEmbeddings;
  encoder: BertEncoder;
  pooler: BertPooler | null;

  /** @param options `addPoolingLayer: false` leaves the pooler out, as models that read every token do. */
  constructor(config: BertConfig, { addPoolingLayer = true }: { addPoolingLayer?: boolean } = {}) {
    super(config);
    this.embeddings = new BertEmbeddings(config);
    this.encoder = new BertEncoder(config);
    this.pooler = addPoolingLayer ? new BertPooler(config) : null;
  }

  override forward(inputs: EncoderInputs): EncoderOutput {
    const mask = inputs.attentionMask ? attentionMaskOf(inputs.attentionMask) : null;
    const hiddenStates = this.encoder.forward(this.embeddings.forward(inputs), mask);
    const lastHiddenState = hiddenStates[hiddenStates.length - 1];
    return { lastHiddenState, poolerOutput: this.pooler?.forward(lastHiddenState) ?? null, hiddenStates };
  }
}
