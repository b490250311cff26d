/** @file The Vision Transformer (Dosovitskiy et al. 2021). */
import type { ExportOptions } from '../../hub/onnx/index.ts';
import { ShapeError } from '../../ir/errors.ts';
import { formatShape } from '../../ir/shape.ts';
import { ModuleList } from '../../nn/containers.ts';
import { Conv2d } from '../../nn/conv.ts';
import { Dropout } from '../../nn/dropout.ts';
import * as init from '../../nn/init.ts';
import { Linear } from '../../nn/linear.ts';
import { Module, Parameter } from '../../nn/module.ts';
import { LayerNorm } from '../../nn/norm.ts';
import { cat, randn, type Tensor } from '../../tensor/index.ts';
import { activation } from '../activation.ts';
import { multiHeadAttention } from '../attention.ts';
import type { EncoderOutput } from '../encoder.ts';
import { PreTrainedModel } from '../pretrained-model.ts';
import { sidesOf, type ViTConfig, vitConfig } from './config.ts';

export interface PictureInputs {
  /** float32 [batch, channels, height, width], normalised as the model's preprocessor_config.json says. */
  pixelValues: Tensor;
}

class ViTPatchEmbeddings extends Module {
  projection: Conv2d;

  constructor({ numChannels, hiddenSize, patchSize }: ViTConfig) {
    super();
    const [height, width] = sidesOf(patchSize);
    this.projection = new Conv2d(numChannels, hiddenSize, [height, width], { stride: [height, width] });
  }

  /** [batch, patches, hidden]. */
  override forward(pixelValues: Tensor): Tensor {
    return this.projection.forward(pixelValues).flatten(2).transpose(1, 2);
  }
}

class ViTEmbeddings extends Module {
  clsToken: Parameter;
  positionEmbeddings: Parameter;
  patchEmbeddings: ViTPatchEmbeddings;
  dropout: Dropout;
  /** [channels, height, width]. */
  readonly picture: readonly number[];

  constructor(config: ViTConfig) {
    super();
    const [image, patch] = [sidesOf(config.imageSize), sidesOf(config.patchSize)];
    this.picture = [config.numChannels, ...image];
    const patches = Math.floor(image[0] / patch[0]) * Math.floor(image[1] / patch[1]);
    this.clsToken = new Parameter(randn([1, 1, config.hiddenSize]));
    this.positionEmbeddings = new Parameter(randn([1, patches + 1, config.hiddenSize]));
    this.patchEmbeddings = new ViTPatchEmbeddings(config);
    this.dropout = new Dropout(config.hiddenDropoutProb);
  }

  override forward(pixelValues: Tensor): Tensor {
    const [batch, ...picture] = pixelValues.shape;
    if (pixelValues.ndim !== 4 || picture.some((n, i) => n !== this.picture[i]))
      throw new ShapeError(
        `pixelValues: expected [batch, ${this.picture.join(', ')}], found ${formatShape(pixelValues.shape)}; resize the pictures`,
      );
    const patches = this.patchEmbeddings.forward(pixelValues);
    const first = this.clsToken.expand([batch, -1, -1]);
    return this.dropout.forward(cat([first, patches], 1).add(this.positionEmbeddings));
  }
}

class ViTSelfAttention extends Module {
  readonly heads: number;
  readonly dropoutP: number;
  query: Linear;
  key: Linear;
  value: Linear;

  constructor({ hiddenSize, numAttentionHeads, attentionProbsDropoutProb, qkvBias: bias }: ViTConfig) {
    super();
    this.heads = numAttentionHeads;
    this.dropoutP = attentionProbsDropoutProb;
    this.query = new Linear(hiddenSize, hiddenSize, { bias });
    this.key = new Linear(hiddenSize, hiddenSize, { bias });
    this.value = new Linear(hiddenSize, hiddenSize, { bias });
  }

  override forward(x: Tensor): Tensor {
    const dropoutP = this.training ? this.dropoutP : 0;
    return multiHeadAttention(x, [this.query, this.key, this.value], this.heads, { attnMask: null, dropoutP });
  }
}

class ViTDense extends Module {
  dense: Linear;

  constructor(inFeatures: number, outFeatures: number) {
    super();
    this.dense = new Linear(inFeatures, outFeatures);
  }

  override forward(x: Tensor): Tensor {
    return this.dense.forward(x);
  }
}

class ViTAttention extends Module {
  attention: ViTSelfAttention;
  output: ViTDense;

  constructor(config: ViTConfig) {
    super();
    this.attention = new ViTSelfAttention(config);
    this.output = new ViTDense(config.hiddenSize, config.hiddenSize);
  }

  override forward(x: Tensor): Tensor {
    return this.output.forward(this.attention.forward(x));
  }
}

class ViTLayer extends Module {
  attention: ViTAttention;
  intermediate: ViTDense;
  output: ViTDense;
  layernormBefore: LayerNorm;
  layernormAfter: LayerNorm;
  dropout: Dropout;
  readonly act: (x: Tensor) => Tensor;

  constructor(config: ViTConfig) {
    super();
    const { hiddenSize, intermediateSize, layerNormEps: eps } = config;
    this.attention = new ViTAttention(config);
    this.intermediate = new ViTDense(hiddenSize, intermediateSize);
    this.output = new ViTDense(intermediateSize, hiddenSize);
    this.layernormBefore = new LayerNorm(hiddenSize, { eps });
    this.layernormAfter = new LayerNorm(hiddenSize, { eps });
    this.dropout = new Dropout(config.hiddenDropoutProb);
    this.act = activation(config.hiddenAct);
  }

  override forward(x: Tensor): Tensor {
    const y = this.dropout.forward(this.attention.forward(this.layernormBefore.forward(x))).add(x);
    const wide = this.act(this.intermediate.forward(this.layernormAfter.forward(y)));
    return this.dropout.forward(this.output.forward(wide)).add(y);
  }
}

class ViTEncoder extends Module {
  layer: ModuleList<ViTLayer>;

  constructor(config: ViTConfig) {
    super();
    this.layer = new ModuleList(Array.from({ length: config.numHiddenLayers }, () => new ViTLayer(config)));
  }

  /** The input and the output of every layer. */
  override forward(x: Tensor): Tensor[] {
    const states = [x];
    for (const layer of this.layer) states.push(layer.forward(states[states.length - 1]));
    return states;
  }
}

class ViTPooler extends Module {
  dense: Linear;
  readonly act: (x: Tensor) => Tensor;

  constructor(config: ViTConfig) {
    super();
    this.dense = new Linear(config.hiddenSize, config.poolerOutputSize ?? config.hiddenSize);
    this.act = activation(config.poolerAct);
  }

  override forward(x: Tensor): Tensor {
    return this.act(this.dense.forward(x.select(1, 0)));
  }
}

/** What both models of the family have in common. */
export abstract class ViTBase extends PreTrainedModel<ViTConfig> {
  static readonly definition = vitConfig;

  override initWeights(module: Module): void {
    const std = this.config.initializerRange;
    super.initWeights(module);
    if (module instanceof ViTEmbeddings)
      for (const parameter of [module.clsToken, module.positionEmbeddings]) init.truncNormal(parameter, { std });
    else if (module instanceof Conv2d) {
      init.normal(module.weight, { std });
      if (module.bias) init.zeros(module.bias);
    }
  }

  /** A picture of noise. */
  exampleInputs(): Record<string, Tensor> {
    return { pixelValues: randn([2, this.config.numChannels, ...sidesOf(this.config.imageSize)]) };
  }
}

/** ViT without a head (transformers.ViTModel). */
export class ViTModel extends ViTBase {
  embeddings: ViTEmbeddings;
  encoder: ViTEncoder;
  layernorm: LayerNorm;
  pooler: ViTPooler | null;

  constructor(config: ViTConfig, { addPoolingLayer = true }: { addPoolingLayer?: boolean } = {}) {
    super(config);
    this.embeddings = new ViTEmbeddings(config);
    this.encoder = new ViTEncoder(config);
    this.layernorm = new LayerNorm(config.hiddenSize, { eps: config.layerNormEps });
    this.pooler = addPoolingLayer ? new ViTPooler(config) : null;
  }

  override optionalKey(key: string): boolean {
    return key.startsWith('pooler.');
  }

  override exportOptions(): ExportOptions {
    return { ...super.exportOptions(), outputs: ['lastHiddenState'], input: ['batch_size'] };
  }

  override forward({ pixelValues }: PictureInputs): EncoderOutput {
    const hiddenStates = this.encoder.forward(this.embeddings.forward(pixelValues));
    const lastHiddenState = this.layernorm.forward(hiddenStates[hiddenStates.length - 1]);
    return { lastHiddenState, poolerOutput: this.pooler?.forward(lastHiddenState) ?? null, hiddenStates };
  }
}
