/** @file Llama's decoder (Touvron et al. 2023): RMSNorm, rotary positions, grouped-query attention, SwiGLU. */
import { ModuleList } from '../../nn/containers.ts';
import { Embedding } from '../../nn/embedding.ts';
import { Linear } from '../../nn/linear.ts';
import { Buffer, Module } from '../../nn/module.ts';
import { RMSNorm } from '../../nn/norm.ts';
import { cat, fromData, type Tensor } from '../../tensor/index.ts';
import { activation } from '../activation.ts';
import type { ConfigDefinition } from '../config.ts';
import {
  attend,
  type CausalInputs,
  type DecoderState,
  joinHeads,
  splitHeads,
  wholeText,
} from '../generation/attention.ts';
import type { DecoderOutput } from '../generation/causal.ts';
import { PreTrainedModel } from '../pretrained-model.ts';
import { headSize, type LlamaConfig, llamaConfig, rotaryFrequencies, windowOf } from './config.ts';

/** Cosines and sines by which queries and keys are turned, each [batch or 1, 1, tokens, features]. */
interface Rotation {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** Turns pairs of features, of which the second stands half a head after the first. */
function rotate(x: Tensor, { cos, sin }: Rotation): Tensor {
  const [first, second] = x.chunk(2, -1);
  return x.mul(cos).add(cat([second.neg(), first], -1).mul(sin));
}

class LlamaRotaryEmbedding extends Module {
  invFreq: Buffer;

  constructor(config: LlamaConfig) {
    super();
    const frequencies = rotaryFrequencies(config);
    this.invFreq = new Buffer(fromData(frequencies, [frequencies.length]), { persistent: false });
  }

  override forward(positionIds: Tensor): Rotation {
    const angles = positionIds.to('float32').unsqueeze(-1).mul(this.invFreq);
    const both = cat([angles, angles], -1).unsqueeze(1);
    return { cos: both.cos(), sin: both.sin() };
  }
}

interface LayerState extends DecoderState {
  readonly rotation: Rotation;
}

class LlamaAttention extends Module {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly dropoutP: number;
  readonly layer: number;
  qProj: Linear;
  kProj: Linear;
  vProj: Linear;
  oProj: Linear;

  constructor(config: LlamaConfig, layer: number) {
    super();
    const { hiddenSize, attentionBias } = config;
    const size = headSize(config);
    const bias = attentionBias || config.modelType === 'qwen2';
    this.heads = config.numAttentionHeads;
    this.keyValueHeads = config.numKeyValueHeads ?? this.heads;
    this.dropoutP = config.attentionDropout;
    this.layer = layer;
    this.qProj = new Linear(hiddenSize, this.heads * size, { bias });
    this.kProj = new Linear(hiddenSize, this.keyValueHeads * size, { bias });
    this.vProj = new Linear(hiddenSize, this.keyValueHeads * size, { bias });
    this.oProj = new Linear(this.heads * size, hiddenSize, { bias: attentionBias });
  }

  override forward(x: Tensor, { mask, sees, cache, rotation }: LayerState): Tensor {
    const query = rotate(splitHeads(this.qProj.forward(x), this.heads), rotation);
    const k = rotate(splitHeads(this.kProj.forward(x), this.keyValueHeads), rotation);
    const v = splitHeads(this.vProj.forward(x), this.keyValueHeads);
    const [key, value] = cache ? cache.update(this.layer, k, v) : [k, v];
    return this.oProj.forward(
      joinHeads(attend(query, key, value, { mask, sees, dropoutP: this.training ? this.dropoutP : 0 })),
    );
  }
}

class LlamaMLP extends Module {
  gateProj: Linear;
  upProj: Linear;
  downProj: Linear;
  readonly act: (x: Tensor) => Tensor;

  constructor({ hiddenSize, intermediateSize, mlpBias: bias, hiddenAct }: LlamaConfig) {
    super();
    this.gateProj = new Linear(hiddenSize, intermediateSize, { bias });
    this.upProj = new Linear(hiddenSize, intermediateSize, { bias });
    this.downProj = new Linear(intermediateSize, hiddenSize, { bias });
    this.act = activation(hiddenAct);
  }

  override forward(x: Tensor): Tensor {
    return this.downProj.forward(this.act(this.gateProj.forward(x)).mul(this.upProj.forward(x)));
  }
}

class LlamaDecoderLayer extends Module {
  selfAttn: LlamaAttention;
  mlp: LlamaMLP;
  inputLayernorm: RMSNorm;
  postAttentionLayernorm: RMSNorm;

  constructor(config: LlamaConfig, layer: number) {
    super();
    const norm = () => new RMSNorm(config.hiddenSize, { eps: config.rmsNormEps });
    this.selfAttn = new LlamaAttention(config, layer);
    this.mlp = new LlamaMLP(config);
    this.inputLayernorm = norm();
    this.postAttentionLayernorm = norm();
  }

  override forward(x: Tensor, state: LayerState): Tensor {
    const y = x.add(this.selfAttn.forward(this.inputLayernorm.forward(x), state));
    return y.add(this.mlp.forward(this.postAttentionLayernorm.forward(y)));
  }
}

/** Angles that older checkpoints stored. */
export const isStoredAngle = (key: string): boolean => key.endsWith('rotary_emb.inv_freq');

/** Llama without a head (transformers.LlamaModel). */
export class LlamaModel extends PreTrainedModel<LlamaConfig> {
  static readonly definition: ConfigDefinition<LlamaConfig> = llamaConfig;
  embedTokens: Embedding;
  layers: ModuleList<LlamaDecoderLayer>;
  norm: RMSNorm;
  rotaryEmb: LlamaRotaryEmbedding;

  constructor(config: LlamaConfig) {
    super(config);
    const { vocabSize, hiddenSize, numHiddenLayers } = config;
    const { padTokenId = null } = config;
    // Counted from the end if negative, as PyTorch does: the first Llamas have -1.
    const inVocabulary = padTokenId !== null && padTokenId >= -vocabSize && padTokenId < vocabSize;
    this.embedTokens = new Embedding(vocabSize, hiddenSize, { paddingIdx: inVocabulary ? padTokenId : null });
    this.layers = new ModuleList(Array.from({ length: numHiddenLayers }, (_, i) => new LlamaDecoderLayer(config, i)));
    this.norm = new RMSNorm(hiddenSize, { eps: config.rmsNormEps });
    this.rotaryEmb = new LlamaRotaryEmbedding(config);
  }

  protected override ignoredKey(key: string): boolean {
    return isStoredAngle(key);
  }

  /** @throws ShapeError for texts longer than a sliding window, beyond which tokens would be forgotten. */
  override forward(inputs: CausalInputs): DecoderOutput {
    const state = wholeText(inputs, windowOf(this.config) ?? undefined);
    return { lastHiddenState: this.decode(inputs.inputIds, state) };
  }

  /** Hidden states of tokens [batch, tokens] whose positions, mask and predecessors are known. @internal */
  decode(inputIds: Tensor, state: DecoderState): Tensor {
    const layerState = { ...state, rotation: this.rotaryEmb.forward(state.positionIds) };
    let x = this.embedTokens.forward(inputIds);
    for (const layer of this.layers) x = layer.forward(x, layerState);
    return this.norm.forward(x);
  }
}
