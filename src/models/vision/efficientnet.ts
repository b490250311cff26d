/** @file EfficientNet-B0 (Tan and Le 2019) with torchvision's state-dict keys. */
import { AdaptiveAvgPool2d, Dropout, Linear, Module, Sequential, SiLU } from '../../nn/index.ts';
import type { Tensor } from '../../tensor/index.ts';
import {
  ConvNormActivation,
  initConvolutional,
  SqueezeExcitation,
  StochasticDepth,
  type VisionModelOptions,
  visionDefaults,
} from './blocks.ts';

export interface EfficientNetOptions extends VisionModelOptions {
  /** Dropout before the last layer. Default 0.2. */
  dropout?: number;
  /** Probability of dropping the last residual branch; those before it have less, in proportion. Default 0.2. */
  stochasticDepthProb?: number;
}

/** Widens, filters each channel on its own, gates, narrows. */
class MBConv extends Module {
  readonly #isResidual: boolean;
  block: Sequential;
  stochasticDepth: StochasticDepth;

  constructor(from: number, to: number, kernel: number, stride: number, expandRatio: number, dropBranch: number) {
    super();
    const width = from * expandRatio;
    const activation = SiLU;
    this.#isResidual = stride === 1 && from === to;
    this.block = new Sequential(
      ...(expandRatio === 1 ? [] : [new ConvNormActivation(from, width, 1, { activation })]),
      new ConvNormActivation(width, width, kernel, { stride, groups: width, activation }),
      new SqueezeExcitation(width, Math.max(1, Math.floor(from / 4)), 'smooth'),
      new ConvNormActivation(width, to, 1, { activation: null }),
    );
    this.stochasticDepth = new StochasticDepth(dropBranch);
  }

  override forward(x: Tensor): Tensor {
    const y = this.block.forward(x);
    return this.#isResidual ? this.stochasticDepth.forward(y).add(x) : y;
  }
}

/** Expansion, kernel, stride of the first block, input and output channels, blocks (table 1 of the paper). */
const stages = [
  [1, 3, 1, 32, 16, 1],
  [6, 3, 2, 16, 24, 2],
  [6, 5, 2, 24, 40, 2],
  [6, 3, 2, 40, 80, 3],
  [6, 5, 1, 80, 112, 3],
  [6, 5, 2, 112, 192, 4],
  [6, 3, 1, 192, 320, 1],
] as const;

/** Gated inverted residual blocks, then one dense layer: [batch, 3, height, width] to [batch, numClasses]. */
export class EfficientNet extends Module {
  features: Sequential;
  avgpool = new AdaptiveAvgPool2d(1);
  classifier: Sequential;

  constructor(options: EfficientNetOptions = {}) {
    super();
    const { numClasses, inChannels } = visionDefaults('EfficientNet', options);
    const { dropout = 0.2, stochasticDepthProb = 0.2 } = options;
    const activation = SiLU;
    const total = stages.reduce((sum, [, , , , , count]) => sum + count, 0);
    let done = 0;
    this.features = new Sequential(new ConvNormActivation(inChannels, 32, 3, { stride: 2, activation }));
    for (const [expandRatio, kernel, stride, from, to, count] of stages) {
      const stage = new Sequential();
      for (let i = 0; i < count; i++) {
        const dropBranch = (stochasticDepthProb * done++) / total;
        stage.append(new MBConv(i ? to : from, to, kernel, i ? 1 : stride, expandRatio, dropBranch));
      }
      this.features.append(stage);
    }
    this.features.append(new ConvNormActivation(320, 1280, 1, { activation }));
    this.classifier = new Sequential(new Dropout(dropout), new Linear(1280, numClasses));
    initConvolutional(this, 'uniform');
  }

  override forward(x: Tensor): Tensor {
    return this.classifier.forward(this.avgpool.forward(this.features.forward(x)).flatten(1));
  }
}

/** EfficientNet-B0 (torchvision.models.efficientnet_b0). */
export const efficientnetB0 = (options?: EfficientNetOptions): EfficientNet => new EfficientNet(options);
