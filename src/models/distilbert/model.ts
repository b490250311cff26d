/** @file DistilBERT's encoder (Sanh et al. 2019): BERT's layers under other names, without token types and pooler. */
import { ModuleList } from '../../nn/containers.ts';
import { Dropout } from '../../nn/dropout.ts';
import { Embedding } from '../../nn/embedding.ts';
import { Linear } from '../../nn/linear.ts';
import { Module } from '../../nn/module.ts';
import { LayerNorm } from '../../nn/norm.ts';
import type { Tensor } from '../../tensor/index.ts';
import { activation } from '../activation.ts';
import { multiHeadAttention } from '../attention.ts';
import { type EncoderInputs, EncoderModel, type EncoderOutput, embedTokens } from '../encoder.ts';
import { attentionMaskOf } from '../masks.ts';
import { type DistilBertConfig, distilbertConfig } from './config.ts';

const eps = 1e-12;

class Embeddings extends Module {
  wordEmbeddings: Embedding;
  positionEmbeddings: Embedding;
  layerNorm: LayerNorm;
  dropout: Dropout;

  constructor(config: DistilBertConfig) {
    super();
    this.wordEmbeddings = new Embedding(config.vocabSize, config.hiddenSize, { paddingIdx: config.padTokenId ?? null });
    this.positionEmbeddings = new Embedding(config.maxPositionEmbeddings, config.hiddenSize);
    this.layerNorm = new LayerNorm(config.hiddenSize, { eps });
    this.dropout = new Dropout(config.hiddenDropoutProb);
  }

  protected override stateKey(property: string): string {
    return property === 'layerNorm' ? 'LayerNorm' : super.stateKey(property);
  }

  override forward({ inputIds }: EncoderInputs): Tensor {
    const { weight, numEmbeddings } = this.positionEmbeddings;
    const words = embedTokens(this.wordEmbeddings, inputIds, numEmbeddings);
    return this.dropout.forward(this.layerNorm.forward(words.add(weight.narrow(0, 0, inputIds.size(1)))));
  }
}

class SelfAttention extends Module {
  readonly heads: number;
  readonly dropoutP: number;
  qLin: Linear;
  kLin: Linear;
  vLin: Linear;
  outLin: Linear;

  constructor({ hiddenSize, numAttentionHeads, attentionProbsDropoutProb }: DistilBertConfig) {
    super();
    this.heads = numAttentionHeads;
    this.dropoutP = attentionProbsDropoutProb;
    this.qLin = new Linear(hiddenSize, hiddenSize);
    this.kLin = new Linear(hiddenSize, hiddenSize);
    this.vLin = new Linear(hiddenSize, hiddenSize);
    this.outLin = new Linear(hiddenSize, hiddenSize);
  }

  override forward(x: Tensor, attnMask: Tensor | null): Tensor {
    const dropoutP = this.training ? this.dropoutP : 0;
    return this.outLin.forward(
      multiHeadAttention(x, [this.qLin, this.kLin, this.vLin], this.heads, { attnMask, dropoutP }),
    );
  }
}

class FeedForward extends Module {
  lin1: Linear;
  lin2: Linear;
  dropout: Dropout;
  readonly act: (x: Tensor) => Tensor;

  constructor(config: DistilBertConfig) {
    super();
    this.lin1 = new Linear(config.hiddenSize, config.intermediateSize);
    this.lin2 = new Linear(config.intermediateSize, config.hiddenSize);
    this.dropout = new Dropout(config.hiddenDropoutProb);
    this.act = activation(config.hiddenAct);
  }

  override forward(x: Tensor): Tensor {
    return this.dropout.forward(this.lin2.forward(this.act(this.lin1.forward(x))));
  }
}

class Block extends Module {
  attention: SelfAttention;
  saLayerNorm: LayerNorm;
  ffn: FeedForward;
  outputLayerNorm: LayerNorm;

  constructor(config: DistilBertConfig) {
    super();
    this.attention = new SelfAttention(config);
    this.saLayerNorm = new LayerNorm(config.hiddenSize, { eps });
    this.ffn = new FeedForward(config);
    this.outputLayerNorm = new LayerNorm(config.hiddenSize, { eps });
  }

  override forward(x: Tensor, attnMask: Tensor | null): Tensor {
    const y = this.saLayerNorm.forward(this.attention.forward(x, attnMask).add(x));
    return this.outputLayerNorm.forward(this.ffn.forward(y).add(y));
  }
}

class Transformer extends Module {
  layer: ModuleList<Block>;

  constructor(config: DistilBertConfig) {
    super();
    this.layer = new ModuleList(Array.from({ length: config.numHiddenLayers }, () => new Block(config)));
  }

  /** The input and the output of every layer. */
  override forward(x: Tensor, attnMask: Tensor | null): Tensor[] {
    const states = [x];
    for (const layer of this.layer) states.push(layer.forward(states[states.length - 1], attnMask));
    return states;
  }
}

/** DistilBERT without a head (transformers.DistilBertModel). */
export class DistilBertModel extends EncoderModel<DistilBertConfig> {
  static readonly definition = distilbertConfig;
  embeddings: Embeddings;
  transformer: Transformer;

  constructor(config: DistilBertConfig) {
    super(config);
    this.embeddings = new Embeddings(config);
    this.transformer = new Transformer(config);
  }

  override forward(inputs: EncoderInputs): EncoderOutput {
    const mask = inputs.attentionMask ? attentionMaskOf(inputs.attentionMask) : null;
    const hiddenStates = this.transformer.forward(this.embeddings.forward(inputs), mask);
    return { lastHiddenState: hiddenStates[hiddenStates.length - 1], poolerOutput: null, hiddenStates };
  }
}
