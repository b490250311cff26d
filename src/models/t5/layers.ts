/** @file T5's layers (Raffel et al. 2020): attention with learned biases by distance and no scaling, RMSNorm before each. */
import { ModuleList } from '../../nn/containers.ts';
import { Dropout } from '../../nn/dropout.ts';
import { Embedding } from '../../nn/embedding.ts';
import { Linear } from '../../nn/linear.ts';
import { Buffer, Module } from '../../nn/module.ts';
import { RMSNorm } from '../../nn/norm.ts';
import { fromData, type Tensor } from '../../tensor/index.ts';
import { activation } from '../activation.ts';
import { attend, joinHeads, type KeyValueCache, splitHeads } from '../generation/attention.ts';
import { feedForward, type T5Config } from './config.ts';

/**
 * Bucket of each distance from 0 to `maxDistance`: half of the buckets are for one distance each, the others for
 * logarithmically wider ranges (transformers.T5Attention._relative_position_bucket).
 */
export function distanceBuckets(buckets: number, maxDistance: number): Float64Array {
  const exact = Math.floor(buckets / 2);
  const scale = Math.fround(Math.log(maxDistance / exact));
  return Float64Array.from({ length: maxDistance + 1 }, (_, distance) => {
    if (distance < exact) return distance;
    // In single precision, step by step, so that ties at the borders fall as they do there.
    const log = Math.fround(Math.log(Math.fround(distance / exact)));
    const wide = Math.fround(Math.fround(log / scale) * (buckets - exact));
    return Math.min(exact + Math.trunc(wide), buckets - 1);
  });
}

/** Bias of attention scores by the distance of key and query, one number per head and bucket. */
class RelativeBias extends Embedding {
  readonly isBidirectional: boolean;
  readonly buckets: Buffer;

  constructor(config: T5Config, isBidirectional: boolean) {
    const { relativeAttentionNumBuckets: count, relativeAttentionMaxDistance: maxDistance } = config;
    super(count, config.numHeads);
    this.isBidirectional = isBidirectional;
    const table = distanceBuckets(isBidirectional ? Math.floor(count / 2) : count, maxDistance);
    this.buckets = new Buffer(fromData(table, [table.length], { dtype: 'int64' }), { persistent: false });
  }

  /** Bucket of each key position minus query position. */
  bucketOf(relative: Tensor): Tensor {
    const longest = this.buckets.numel() - 1;
    const distance = (this.isBidirectional ? relative.abs() : relative.neg()).clamp({ min: 0, max: longest });
    const bucket = this.buckets.indexSelect(0, distance.reshape([-1])).reshape(relative.shape);
    if (!this.isBidirectional) return bucket;
    const half = Math.floor(this.numEmbeddings / 2);
    return bucket.add(relative.gt(0).to('int64').mul(half));
  }

  /** [queries, keys] gives [1, heads, queries, keys]. */
  override forward(relative: Tensor): Tensor {
    return super.forward(this.bucketOf(relative)).permute([2, 0, 1]).unsqueeze(0);
  }
}

export class T5Attention extends Module {
  readonly heads: number;
  readonly dropoutP: number;
  q: Linear;
  k: Linear;
  v: Linear;
  o: Linear;
  /** Only the first layer of a stack has it; the others use its result. */
  relativeAttentionBias: RelativeBias | null;

  constructor(config: T5Config, bias: 'bidirectional' | 'causal' | 'none') {
    super();
    const { dModel, numHeads, dKv } = config;
    this.heads = numHeads;
    this.dropoutP = config.dropoutRate;
    this.q = new Linear(dModel, numHeads * dKv, { bias: false });
    this.k = new Linear(dModel, numHeads * dKv, { bias: false });
    this.v = new Linear(dModel, numHeads * dKv, { bias: false });
    this.o = new Linear(numHeads * dKv, dModel, { bias: false });
    this.relativeAttentionBias = bias === 'none' ? null : new RelativeBias(config, bias === 'bidirectional');
  }

  /** Keys and values [batch, heads, tokens, features] of hidden states. */
  keysAndValues(x: Tensor): readonly [Tensor, Tensor] {
    return [splitHeads(this.k.forward(x), this.heads), splitHeads(this.v.forward(x), this.heads)];
  }

  /** @param mask added to the scores: biases and what is not to be seen; null for neither. */
  override forward(x: Tensor, [key, value]: readonly [Tensor, Tensor], mask: Tensor | null): Tensor {
    const query = splitHeads(this.q.forward(x), this.heads);
    const dropoutP = this.training ? this.dropoutP : 0;
    return this.o.forward(joinHeads(attend(query, key, value, { mask, scale: 1, dropoutP })));
  }
}

/** A layer's norm, and the dropout of what it adds. */
abstract class T5Layer extends Module {
  layerNorm: RMSNorm;
  dropout: Dropout;

  constructor(config: T5Config) {
    super();
    this.layerNorm = new RMSNorm(config.dModel, { eps: config.layerNormEpsilon });
    this.dropout = new Dropout(config.dropoutRate);
  }

  /** Layers have upper-case names in state dicts, as the first T5 had them. */
  protected override stateKey(property: string): string {
    const isLayer = ['selfAttention', 'encDecAttention', 'denseReluDense'].includes(property);
    return isLayer ? property[0].toUpperCase() + property.slice(1) : super.stateKey(property);
  }
}

/** What the layers of a stack share. */
export interface T5State {
  /** Biases by distance and mask, [batch or 1, heads, queries, keys]. */
  readonly mask: Tensor;
  readonly cache?: KeyValueCache;
  /** For decoders: keys and values of the encoder's states. */
  readonly cross?: (layer: number, attention: T5Attention) => readonly [Tensor, Tensor];
  readonly crossMask?: Tensor | null;
}

class T5LayerSelfAttention extends T5Layer {
  selfAttention: T5Attention;
  readonly layer: number;

  constructor(config: T5Config, layer: number, isDecoder: boolean) {
    super(config);
    this.selfAttention = new T5Attention(config, layer > 0 ? 'none' : isDecoder ? 'causal' : 'bidirectional');
    this.layer = layer;
  }

  override forward(x: Tensor, { mask, cache }: T5State): Tensor {
    const normed = this.layerNorm.forward(x);
    const [k, v] = this.selfAttention.keysAndValues(normed);
    const all = cache ? cache.update(this.layer, k, v) : ([k, v] as const);
    return x.add(this.dropout.forward(this.selfAttention.forward(normed, all, mask)));
  }
}

class T5LayerCrossAttention extends T5Layer {
  encDecAttention: T5Attention;
  readonly layer: number;

  constructor(config: T5Config, layer: number) {
    super(config);
    this.encDecAttention = new T5Attention(config, 'none');
    this.layer = layer;
  }

  override forward(x: Tensor, { cross, crossMask = null }: Required<Pick<T5State, 'cross'>> & T5State): Tensor {
    const pair = cross(this.layer, this.encDecAttention);
    return x.add(this.dropout.forward(this.encDecAttention.forward(this.layerNorm.forward(x), pair, crossMask)));
  }
}

/** Feed-forward layers without biases, gated in T5 1.1. */
export class T5Dense extends Module {
  wi: Linear | null;
  wi_0: Linear | null;
  wi_1: Linear | null;
  wo: Linear;
  dropout: Dropout;
  readonly act: (x: Tensor) => Tensor;

  constructor(config: T5Config) {
    super();
    const { isGated, act } = feedForward(config);
    const wide = () => new Linear(config.dModel, config.dFf, { bias: false });
    this.wi = isGated ? null : wide();
    this.wi_0 = isGated ? wide() : null;
    this.wi_1 = isGated ? wide() : null;
    this.wo = new Linear(config.dFf, config.dModel, { bias: false });
    this.dropout = new Dropout(config.dropoutRate);
    this.act = activation(act);
  }

  override forward(x: Tensor): Tensor {
    const wide = this.wi ?? this.wi_0;
    if (!wide) return this.wo.forward(x);
    const y = this.act(wide.forward(x));
    return this.wo.forward(this.dropout.forward(this.wi_1 ? y.mul(this.wi_1.forward(x)) : y));
  }
}

class T5LayerFF extends T5Layer {
  denseReluDense: T5Dense;

  constructor(config: T5Config) {
    super(config);
    this.denseReluDense = new T5Dense(config);
  }

  override forward(x: Tensor): Tensor {
    return x.add(this.dropout.forward(this.denseReluDense.forward(this.layerNorm.forward(x))));
  }
}

class T5Block extends Module {
  layer: ModuleList;
  readonly #self: T5LayerSelfAttention;
  readonly #cross: T5LayerCrossAttention | null;
  readonly #dense: T5LayerFF;

  constructor(config: T5Config, layer: number, isDecoder: boolean) {
    super();
    this.#self = new T5LayerSelfAttention(config, layer, isDecoder);
    this.#cross = isDecoder ? new T5LayerCrossAttention(config, layer) : null;
    this.#dense = new T5LayerFF(config);
    this.layer = new ModuleList([this.#self, ...(this.#cross ? [this.#cross] : []), this.#dense]);
  }

  get relativeBias(): RelativeBias | null {
    return this.#self.selfAttention.relativeAttentionBias;
  }

  get crossAttention(): T5Attention | null {
    return this.#cross?.encDecAttention ?? null;
  }

  override forward(x: Tensor, state: T5State): Tensor {
    let y = this.#self.forward(x, state);
    if (this.#cross && state.cross) y = this.#cross.forward(y, { ...state, cross: state.cross });
    return this.#dense.forward(y);
  }
}

/** The encoder or the decoder. */
export class T5Stack extends Module {
  embedTokens: Embedding;
  block: ModuleList<T5Block>;
  finalLayerNorm: RMSNorm;
  dropout: Dropout;

  constructor(config: T5Config, embedTokens: Embedding, kind: 'encoder' | 'decoder') {
    super();
    const isDecoder = kind === 'decoder';
    const layers = isDecoder ? (config.numDecoderLayers ?? config.numLayers) : config.numLayers;
    this.embedTokens = embedTokens;
    this.block = new ModuleList(Array.from({ length: layers }, (_, i) => new T5Block(config, i, isDecoder)));
    this.finalLayerNorm = new RMSNorm(config.dModel, { eps: config.layerNormEpsilon });
    this.dropout = new Dropout(config.dropoutRate);
  }

  /** Biases of scores for key positions minus query positions, int64 [queries, keys]: [1, heads, queries, keys]. */
  bias(relative: Tensor): Tensor {
    const { relativeBias } = this.block.at(0);
    return (relativeBias as RelativeBias).forward(relative);
  }

  override forward(inputIds: Tensor, state: T5State): Tensor {
    let x = this.dropout.forward(this.embedTokens.forward(inputIds));
    for (const block of this.block) x = block.forward(x, state);
    return this.dropout.forward(this.finalLayerNorm.forward(x));
  }
}
