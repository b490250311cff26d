/** @file LoraLayer: the low-rank update of one matrix (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"). */
import * as F from '../../nn/functional/index.ts';
import * as init from '../../nn/init.ts';
import { Module, Parameter } from '../../nn/module.ts';
import { matmul, noGrad, type Tensor, zeros } from '../../tensor/index.ts';
import type { LoraConfig } from './config.ts';

/** A place that an adapter can attach to: a product of an input with a weight. */
export interface Site {
  /** Dotted name of the layer, as in the state dict without `.weight`. */
  readonly name: string;
  readonly weight: Parameter;
  /** Whether the weight is [in, out], as in GPT-2 and in ONNX's MatMul, instead of [out, in]. */
  readonly transposed: boolean;
  /** Makes the layer add what the adapter gives for its input. @returns what undoes it. */
  attach(layer: LoraLayer): () => void;
}

/** A and B: x A^T B^T times a scale is added to what a layer gives for x. Attached to a layer as its child `lora`. */
export class LoraLayer extends Module {
  /** [r, inFeatures]. */
  loraA: Parameter;
  /** [outFeatures, r]. */
  loraB: Parameter;
  readonly scaling: number;
  readonly dropoutP: number;
  /** False while merged into the weight, or while switched off. */
  active = true;
  readonly #site: Site;

  constructor(site: Site, config: LoraConfig, { r, alpha }: { r: number; alpha: number }) {
    super();
    this.#site = site;
    const { shape } = site.weight;
    const [outFeatures, inFeatures] = site.transposed ? [shape[1], shape[0]] : shape;
    this.loraA = new Parameter(zeros([r, inFeatures]));
    this.loraB = new Parameter(zeros([outFeatures, r]));
    this.scaling = alpha / (config.useRslora ? Math.sqrt(r) : r);
    this.dropoutP = config.loraDropout;
    const { initLoraWeights } = config;
    // As torch.nn.Linear starts: kaiming-uniform with a = sqrt(5).
    if (initLoraWeights === 'gaussian') init.normal(this.loraA, { std: 1 / r });
    else init.kaimingUniform(this.loraA, { a: Math.sqrt(5) });
    if (initLoraWeights === false) init.kaimingUniform(this.loraB, { a: Math.sqrt(5) });
  }

  /** peft's keys: `lora_A.weight`, `lora_B.weight`. */
  protected override stateKey(property: string): string {
    return property === 'loraA' || property === 'loraB' ? `lora_${property.at(-1)}.weight` : super.stateKey(property);
  }

  /** What is added for an input [..., inFeatures]; the matrices are this layer's, or stand for them. */
  override forward(x: Tensor, a: Tensor = this.loraA, b: Tensor = this.loraB): Tensor {
    const kept = F.dropout(x, { p: this.dropoutP, training: this.training });
    return F.linear(F.linear(kept, a).mul(this.scaling), b);
  }

  /** The update as a change of the layer's weight, in its own orientation. */
  delta(): Tensor {
    const product = matmul(this.loraB, this.loraA).mul(this.scaling);
    return this.#site.transposed ? product.transpose(0, 1) : product;
  }

  /** Adds the update to the layer's weight, or takes it out again. */
  fold(sign: 1 | -1): void {
    const { weight } = this.#site;
    noGrad(() => {
      weight.assign(weight.add(this.delta().mul(sign)));
    });
  }

  override extraRepr(): string {
    return `r=${this.loraA.size(0)}, scaling=${this.scaling}, dropout=${this.dropoutP}`;
  }
}
