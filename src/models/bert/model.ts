/** @file BERT's encoder (Devlin et al. 2019), which RoBERTa and the MiniLM sentence encoders share. */
import { ModuleList } from '../../nn/containers.ts';
import { Dropout } from '../../nn/dropout.ts';
import { Embedding } from '../../nn/embedding.ts';
import { Linear } from '../../nn/linear.ts';
import { Module } from '../../nn/module.ts';
import { LayerNorm } from '../../nn/norm.ts';
import type { Tensor } from '../../tensor/index.ts';
import { activation } from '../activation.ts';
import { multiHeadAttention } from '../attention.ts';
import type { ConfigDefinition } from '../config.ts';
import { type EncoderInputs, EncoderModel, type EncoderOutput, embedTokens } from '../encoder.ts';
import { attentionMaskOf } from '../masks.ts';
import { type BertConfig, bertConfig } from './config.ts';

/** State-dict key LayerNorm, as the first BERT had it. */
export const upperCaseNorm = (property: string) => (property === 'layerNorm' ? 'LayerNorm' : undefined);

export class BertEmbeddings extends Module {
  wordEmbeddings: Embedding;
  positionEmbeddings: Embedding;
  tokenTypeEmbeddings: Embedding;
  layerNorm: LayerNorm;
  dropout: Dropout;
  /** Tokens of a text at most. */
  maxLength: number;

  constructor(config: BertConfig, { positionPaddingIdx = null }: { positionPaddingIdx?: number | null } = {}) {
    super();
    this.maxLength = config.maxPositionEmbeddings;
    this.wordEmbeddings = new Embedding(config.vocabSize, config.hiddenSize, { paddingIdx: config.padTokenId ?? null });
    this.positionEmbeddings = new Embedding(config.maxPositionEmbeddings, config.hiddenSize, {
      paddingIdx: positionPaddingIdx,
    });
    this.tokenTypeEmbeddings = new Embedding(config.typeVocabSize, config.hiddenSize);
    this.layerNorm = new LayerNorm(config.hiddenSize, { eps: config.layerNormEps });
    this.dropout = new Dropout(config.hiddenDropoutProb);
  }

  protected override stateKey(property: string): string {
    return upperCaseNorm(property) ?? super.stateKey(property);
  }

  /** Positions [sequence, hidden] or [batch, sequence, hidden]. */
  protected positions({ inputIds }: EncoderInputs): Tensor {
    return this.positionEmbeddings.weight.narrow(0, 0, inputIds.size(1));
  }

  override forward(inputs: EncoderInputs): Tensor {
    const words = embedTokens(this.wordEmbeddings, inputs.inputIds, this.maxLength);
    const { tokenTypeIds } = inputs;
    const types = tokenTypeIds
      ? this.tokenTypeEmbeddings.forward(tokenTypeIds)
      : this.tokenTypeEmbeddings.weight.select(0, 0);
    return this.dropout.forward(this.layerNorm.forward(words.add(this.positions(inputs).add(types))));
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
    const dropoutP = this.training ? this.dropoutP : 0;
    return multiHeadAttention(x, [this.query, this.key, this.value], this.heads, { attnMask, dropoutP });
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
export class BertModel<C extends BertConfig = BertConfig> extends EncoderModel<C> {
  static readonly definition: ConfigDefinition<BertConfig> = bertConfig;
  embeddings: BertEmbeddings;
  encoder: BertEncoder;
  pooler: BertPooler | null;

  /** @param options `addPoolingLayer: false` leaves the pooler out, as models that read every token do. */
  constructor(config: C, { addPoolingLayer = true }: { addPoolingLayer?: boolean } = {}) {
    super(config);
    this.embeddings = new BertEmbeddings(config);
    this.encoder = new BertEncoder(config);
    this.pooler = addPoolingLayer ? new BertPooler(config) : null;
  }

  override optionalKey(key: string): boolean {
    return key.startsWith('pooler.');
  }

  override forward(inputs: EncoderInputs): EncoderOutput {
    const mask = inputs.attentionMask ? attentionMaskOf(inputs.attentionMask) : null;
    const hiddenStates = this.encoder.forward(this.embeddings.forward(inputs), mask);
    const lastHiddenState = hiddenStates[hiddenStates.length - 1];
    return { lastHiddenState, poolerOutput: this.pooler?.forward(lastHiddenState) ?? null, hiddenStates };
  }
}
