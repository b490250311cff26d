/** @file Transformer layers and stacks (Vaswani et al. 2017; torch.nn.Transformer*). */
import { ArgumentError } from '../ir/errors.ts';
import { fromData, type Tensor, where } from '../tensor/index.ts';
import { causalMask, MultiheadAttention } from './attention.ts';
import { ModuleList } from './containers.ts';
import { Dropout } from './dropout.ts';
import * as F from './functional/index.ts';
import * as init from './init.ts';
import { Linear } from './linear.ts';
import { Buffer, Module } from './module.ts';
import { LayerNorm } from './norm.ts';

export interface TransformerLayerOptions {
  /** Features between the two linear layers. */
  dimFeedforward?: number;
  dropout?: number;
  activation?: 'relu' | 'gelu' | ((x: Tensor) => Tensor);
  layerNormEps?: number;
  /** Inputs are [batch, sequence, features] instead of [sequence, batch, features]. */
  batchFirst?: boolean;
  /** Normalise before attention and feed-forward instead of after. */
  normFirst?: boolean;
  bias?: boolean;
}

/** Attention mask, true where forbidden or numbers to add, and key padding mask, true where ignored. */
export interface EncoderMasks {
  srcMask?: Tensor | null;
  srcKeyPaddingMask?: Tensor | null;
  isCausal?: boolean;
}

export interface DecoderMasks {
  tgtMask?: Tensor | null;
  memoryMask?: Tensor | null;
  tgtKeyPaddingMask?: Tensor | null;
  memoryKeyPaddingMask?: Tensor | null;
  tgtIsCausal?: boolean;
  memoryIsCausal?: boolean;
}

function activationOf(activation: TransformerLayerOptions['activation'] = 'relu'): (x: Tensor) => Tensor {
  if (typeof activation === 'function') return activation;
  if (activation === 'gelu') return (x) => F.gelu(x);
  if (activation === 'relu') return F.relu;
  throw new ArgumentError(`Transformer: activation must be 'relu', 'gelu' or a function, found '${activation}'`);
}

/** What encoder and decoder layers have in common. */
abstract class TransformerLayer extends Module {
  readonly dModel: number;
  readonly nhead: number;
  readonly options: TransformerLayerOptions;
  readonly normFirst: boolean;
  readonly activation: (x: Tensor) => Tensor;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super();
    this.dModel = dModel;
    this.nhead = nhead;
    this.options = options;
    this.normFirst = options.normFirst ?? false;
    this.activation = activationOf(options.activation);
  }

  protected attention(): MultiheadAttention {
    const { dropout = 0.1, batchFirst = false, bias = true } = this.options;
    return new MultiheadAttention(this.dModel, this.nhead, { dropout, batchFirst, bias });
  }

  protected linear(into: number, out: number): Linear {
    return new Linear(into, out, { bias: this.options.bias ?? true });
  }

  protected norm(): LayerNorm {
    return new LayerNorm(this.dModel, { eps: this.options.layerNormEps ?? 1e-5, bias: this.options.bias ?? true });
  }

  protected drop(): Dropout {
    return new Dropout(this.options.dropout ?? 0.1);
  }

  protected get width(): number {
    return this.options.dimFeedforward ?? 2048;
  }

  /** x + block(x), normalised before or after. */
  protected residual(x: Tensor, norm: LayerNorm, block: (x: Tensor) => Tensor): Tensor {
    return this.normFirst ? x.add(block(norm.forward(x))) : norm.forward(x.add(block(x)));
  }
}

/** Self-attention and feed-forward (torch.nn.TransformerEncoderLayer). */
export class TransformerEncoderLayer extends TransformerLayer {
  selfAttn = this.attention();
  linear1 = this.linear(this.dModel, this.width);
  dropout = this.drop();
  linear2 = this.linear(this.width, this.dModel);
  norm1 = this.norm();
  norm2 = this.norm();
  dropout1 = this.drop();
  dropout2 = this.drop();

  override forward(src: Tensor, { srcMask, srcKeyPaddingMask, isCausal }: EncoderMasks = {}): Tensor {
    const options = { attnMask: srcMask, keyPaddingMask: srcKeyPaddingMask, isCausal, needWeights: false };
    const x = this.residual(src, this.norm1, (y) => this.dropout1.forward(this.selfAttn.forward(y, y, y, options)[0]));
    return this.residual(x, this.norm2, (y) => {
      const wide = this.dropout.forward(this.activation(this.linear1.forward(y)));
      return this.dropout2.forward(this.linear2.forward(wide));
    });
  }
}

/** Self-attention, attention to the encoder's output, and feed-forward (torch.nn.TransformerDecoderLayer). */
export class TransformerDecoderLayer extends TransformerLayer {
  selfAttn = this.attention();
  multiheadAttn = this.attention();
  linear1 = this.linear(this.dModel, this.width);
  dropout = this.drop();
  linear2 = this.linear(this.width, this.dModel);
  norm1 = this.norm();
  norm2 = this.norm();
  norm3 = this.norm();
  dropout1 = this.drop();
  dropout2 = this.drop();
  dropout3 = this.drop();

  override forward(tgt: Tensor, memory: Tensor, masks: DecoderMasks = {}): Tensor {
    const own = {
      attnMask: masks.tgtMask,
      keyPaddingMask: masks.tgtKeyPaddingMask,
      isCausal: masks.tgtIsCausal,
      needWeights: false,
    };
    const other = {
      attnMask: masks.memoryMask,
      keyPaddingMask: masks.memoryKeyPaddingMask,
      isCausal: masks.memoryIsCausal,
      needWeights: false,
    };
    let x = this.residual(tgt, this.norm1, (y) => this.dropout1.forward(this.selfAttn.forward(y, y, y, own)[0]));
    x = this.residual(x, this.norm2, (y) =>
      this.dropout2.forward(this.multiheadAttn.forward(y, memory, memory, other)[0]),
    );
    return this.residual(x, this.norm3, (y) => {
      const wide = this.dropout.forward(this.activation(this.linear1.forward(y)));
      return this.dropout3.forward(this.linear2.forward(wide));
    });
  }
}

export interface StackOptions {
  /** Applied to the output of the last layer. */
  norm?: LayerNorm | null;
}

/** The layer and others of the same options, each with first values of its own (PyTorch copies the first layer's). */
function repeat<T extends TransformerLayer>(layer: T, n: number, make: (like: T) => T): ModuleList<T> {
  return new ModuleList(Array.from({ length: n }, (_, i) => (i ? make(layer) : layer)));
}

/** A stack of encoder layers (torch.nn.TransformerEncoder). */
export class TransformerEncoder extends Module {
  layers: ModuleList<TransformerEncoderLayer>;
  norm: LayerNorm | null;

  constructor(layer: TransformerEncoderLayer, numLayers: number, { norm = null }: StackOptions = {}) {
    super();
    this.layers = repeat(layer, numLayers, (l) => new TransformerEncoderLayer(l.dModel, l.nhead, l.options));
    this.norm = norm;
  }

  override forward(
    src: Tensor,
    { mask, srcKeyPaddingMask, isCausal }: Omit<EncoderMasks, 'srcMask'> & { mask?: Tensor | null } = {},
  ): Tensor {
    let x = src;
    for (const layer of this.layers) x = layer.forward(x, { srcMask: mask, srcKeyPaddingMask, isCausal });
    return this.norm ? this.norm.forward(x) : x;
  }
}

/** A stack of decoder layers (torch.nn.TransformerDecoder). */
export class TransformerDecoder extends Module {
  layers: ModuleList<TransformerDecoderLayer>;
  norm: LayerNorm | null;

  constructor(layer: TransformerDecoderLayer, numLayers: number, { norm = null }: StackOptions = {}) {
    super();
    this.layers = repeat(layer, numLayers, (l) => new TransformerDecoderLayer(l.dModel, l.nhead, l.options));
    this.norm = norm;
  }

  override forward(tgt: Tensor, memory: Tensor, masks: DecoderMasks = {}): Tensor {
    let x = tgt;
    for (const layer of this.layers) x = layer.forward(x, memory, masks);
    return this.norm ? this.norm.forward(x) : x;
  }
}

export interface TransformerOptions extends TransformerLayerOptions {
  dModel?: number;
  nhead?: number;
  numEncoderLayers?: number;
  numDecoderLayers?: number;
}

/** Encoder and decoder (torch.nn.Transformer): source and target sequences of features in, target features out. */
export class Transformer extends Module {
  encoder: TransformerEncoder;
  decoder: TransformerDecoder;

  constructor(options: TransformerOptions = {}) {
    super();
    const { dModel = 512, nhead = 8, numEncoderLayers = 6, numDecoderLayers = 6, ...layer } = options;
    const norm = () => new LayerNorm(dModel, { eps: layer.layerNormEps ?? 1e-5, bias: layer.bias ?? true });
    this.encoder = new TransformerEncoder(new TransformerEncoderLayer(dModel, nhead, layer), numEncoderLayers, {
      norm: norm(),
    });
    this.decoder = new TransformerDecoder(new TransformerDecoderLayer(dModel, nhead, layer), numDecoderLayers, {
      norm: norm(),
    });
    for (const parameter of this.parameters()) if (parameter.ndim > 1) init.xavierUniform(parameter);
  }

  override forward(
    src: Tensor,
    tgt: Tensor,
    { srcMask, srcKeyPaddingMask, isCausal, ...masks }: EncoderMasks & DecoderMasks = {},
  ): Tensor {
    const memory = this.encoder.forward(src, { mask: srcMask, srcKeyPaddingMask, isCausal });
    return this.decoder.forward(tgt, memory, masks);
  }

  /** Numbers to add to scores so that no position sees a later one: 0 and -Infinity, [n, n]. */
  static generateSquareSubsequentMask(n: number): Tensor {
    return where(causalMask(n), Number.NEGATIVE_INFINITY, 0);
  }
}

export interface PositionalEncodingOptions {
  dropout?: number;
  /** Longest sequence. */
  maxLen?: number;
  batchFirst?: boolean;
}

/**
 * Adds sines and cosines of the position (Vaswani et al. 2017, section 3.5) to [sequence, batch, dModel], or batch first.
 * Not part of the state: it follows from its options.
 */
export class PositionalEncoding extends Module {
  readonly batchFirst: boolean;
  readonly maxLen: number;
  pe: Buffer;
  dropout: Dropout;

  constructor(dModel: number, { dropout = 0.1, maxLen = 5000, batchFirst = false }: PositionalEncodingOptions = {}) {
    super();
    this.batchFirst = batchFirst;
    this.maxLen = maxLen;
    this.dropout = new Dropout(dropout);
    const table = () =>
      Float32Array.from({ length: maxLen * dModel }, (_, i) => {
        const [position, feature] = [Math.floor(i / dModel), i % dModel];
        const angle = position / 10000 ** ((feature - (feature % 2)) / dModel);
        return feature % 2 ? Math.cos(angle) : Math.sin(angle);
      });
    this.pe = new Buffer(fromData(table, [maxLen, dModel]), { persistent: false });
  }

  /** @throws ArgumentError for a sequence longer than maxLen. */
  override forward(x: Tensor): Tensor {
    const length = x.size(this.batchFirst ? -2 : 0);
    if (length > this.maxLen)
      throw new ArgumentError(`PositionalEncoding: a sequence of ${length} is longer than maxLen, ${this.maxLen}`);
    const rows = this.pe.narrow(0, 0, length);
    return this.dropout.forward(x.add(this.batchFirst || x.ndim === 2 ? rows : rows.unsqueeze(1)));
  }
}
