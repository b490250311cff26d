/** @file GPT-2's decoder (Radford et al. 2019). */
import { FormatError } from '../../ir/errors.ts';
import { ModuleList } from '../../nn/containers.ts';
import { Dropout } from '../../nn/dropout.ts';
import { Embedding } from '../../nn/embedding.ts';
import * as init from '../../nn/init.ts';
import { Module, Parameter } from '../../nn/module.ts';
import { LayerNorm } from '../../nn/norm.ts';
import { type Tensor, zeros } from '../../tensor/index.ts';
import { activation } from '../activation.ts';
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
import { type GPT2Config, gpt2Config } from './config.ts';

/** y = x W + b with the weight [in, out], transposed to nn.Linear's (transformers.pytorch_utils.Conv1D). */
export class Conv1D extends Module {
  /** The weight is [in, out]: low-rank adapters want to know. */
  readonly fanInFanOut = true;
  weight: Parameter;
  bias: Parameter;
  /** Whether its output is added to the residual stream: new weights are smaller then. */
  readonly residual: boolean;

  constructor(inFeatures: number, outFeatures: number, { residual = false }: { residual?: boolean } = {}) {
    super();
    this.weight = new Parameter(zeros([inFeatures, outFeatures]));
    this.bias = new Parameter(zeros([outFeatures]));
    this.residual = residual;
  }

  override forward(x: Tensor): Tensor {
    return x.matmul(this.weight).add(this.bias);
  }

  override extraRepr(): string {
    return this.weight.shape.join(', ');
  }
}

class GPT2Attention extends Module {
  readonly heads: number;
  readonly scale: number;
  readonly dropoutP: number;
  readonly layer: number;
  cAttn: Conv1D;
  cProj: Conv1D;
  residDropout: Dropout;

  constructor(config: GPT2Config, layer: number) {
    super();
    const { nEmbd, nHead } = config;
    if (nEmbd % nHead !== 0)
      throw new FormatError(`config.json: "n_embd": ${nEmbd} is no multiple of n_head, ${nHead}`);
    this.heads = nHead;
    this.layer = layer;
    const perHead = config.scaleAttnWeights ? (nEmbd / nHead) ** -0.5 : 1;
    this.scale = config.scaleAttnByInverseLayerIdx ? perHead / (layer + 1) : perHead;
    this.dropoutP = config.attnPdrop;
    this.cAttn = new Conv1D(nEmbd, 3 * nEmbd);
    this.cProj = new Conv1D(nEmbd, nEmbd, { residual: true });
    this.residDropout = new Dropout(config.residPdrop);
  }

  override forward(x: Tensor, { mask, sees, cache }: DecoderState): Tensor {
    const [query, k, v] = this.cAttn
      .forward(x)
      .chunk(3, -1)
      .map((part) => splitHeads(part, this.heads));
    const [key, value] = cache ? cache.update(this.layer, k, v) : [k, v];
    const dropoutP = this.training ? this.dropoutP : 0;
    const y = attend(query, key, value, { mask, sees, scale: this.scale, dropoutP });
    return this.residDropout.forward(this.cProj.forward(joinHeads(y)));
  }
}

class GPT2MLP extends Module {
  cFc: Conv1D;
  cProj: Conv1D;
  dropout: Dropout;
  readonly act: (x: Tensor) => Tensor;

  constructor(config: GPT2Config) {
    super();
    const inner = config.nInner ?? 4 * config.nEmbd;
    this.cFc = new Conv1D(config.nEmbd, inner);
    this.cProj = new Conv1D(inner, config.nEmbd, { residual: true });
    this.dropout = new Dropout(config.residPdrop);
    this.act = activation(config.activationFunction);
  }

  override forward(x: Tensor): Tensor {
    return this.dropout.forward(this.cProj.forward(this.act(this.cFc.forward(x))));
  }
}

class GPT2Block extends Module {
  ln_1: LayerNorm;
  attn: GPT2Attention;
  ln_2: LayerNorm;
  mlp: GPT2MLP;

  constructor(config: GPT2Config, layer: number) {
    super();
    const norm = () => new LayerNorm(config.nEmbd, { eps: config.layerNormEpsilon });
    this.ln_1 = norm();
    this.attn = new GPT2Attention(config, layer);
    this.ln_2 = norm();
    this.mlp = new GPT2MLP(config);
  }

  override forward(x: Tensor, state: DecoderState): Tensor {
    const y = x.add(this.attn.forward(this.ln_1.forward(x), state));
    return y.add(this.mlp.forward(this.ln_2.forward(y)));
  }
}

/** New weights as GPT-2 has them: those that end a residual branch are smaller by the root of the number of branches. */
export function initGPT2(module: Module, config: GPT2Config): boolean {
  if (!(module instanceof Conv1D)) return false;
  const std = config.initializerRange / (module.residual ? Math.sqrt(2 * config.nLayer) : 1);
  init.normal(module.weight, { std });
  init.zeros(module.bias);
  return true;
}

/** Masks that the first checkpoints stored. */
export const isStoredMask = (key: string): boolean => /\.attn\.(masked_)?bias$/.test(key);

/** GPT-2 without a head (transformers.GPT2Model). */
export class GPT2Model extends PreTrainedModel<GPT2Config> {
  static readonly definition = gpt2Config;
  wte: Embedding;
  wpe: Embedding;
  drop: Dropout;
  h: ModuleList<GPT2Block>;
  ln_f: LayerNorm;

  constructor(config: GPT2Config) {
    super(config);
    this.wte = new Embedding(config.vocabSize, config.nEmbd);
    this.wpe = new Embedding(config.nPositions, config.nEmbd);
    this.drop = new Dropout(config.embdPdrop);
    this.h = new ModuleList(Array.from({ length: config.nLayer }, (_, i) => new GPT2Block(config, i)));
    this.ln_f = new LayerNorm(config.nEmbd, { eps: config.layerNormEpsilon });
  }

  override initWeights(module: Module): void {
    if (!initGPT2(module, this.config)) super.initWeights(module);
  }

  protected override ignoredKey(key: string): boolean {
    return isStoredMask(key);
  }

  /** @throws ShapeError for texts longer than `nPositions`. */
  override forward(inputs: CausalInputs): DecoderOutput {
    return { lastHiddenState: this.decode(inputs.inputIds, wholeText(inputs, this.config.nPositions)) };
  }

  /** Hidden states of tokens [batch, tokens] whose positions, mask and predecessors are known. @internal */
  decode(inputIds: Tensor, state: DecoderState): Tensor {
    let x = this.drop.forward(this.wte.forward(inputIds).add(this.wpe.forward(state.positionIds)));
    for (const block of this.h) x = block.forward(x, state);
    return this.ln_f.forward(x);
  }
}
