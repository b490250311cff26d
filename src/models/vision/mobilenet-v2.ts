/** @file MobileNetV2 (Sandler et al. 2018) with torchvision's state-dict keys. */

import * as F from '../../nn/functional/index.ts';
import { BatchNorm2d, Conv2d, Dropout, Linear, Module, ReLU6, Sequential } from '../../nn/index.ts';
import type { Tensor } from '../../tensor/index.ts';
import {
  ConvNormActivation,
  initConvolutional,
  makeDivisible,
  type VisionModelOptions,
  visionDefaults,
} from './blocks.ts';

export interface MobileNetV2Options extends VisionModelOptions {
  /** Factor of all numbers of channels. Default 1. */
  widthMult?: number;
  /** Dropout before the last layer. Default 0.2. */
  dropout?: number;
}

/** Widens by a 1 x 1 convolution, filters each channel on its own, narrows again. */
class InvertedResidual extends Module {
  readonly #isResidual: boolean;
  conv: Sequential;

  constructor(from: number, to: number, stride: number, expandRatio: number) {
    super();
    const width = from * expandRatio;
    const activation = ReLU6;
    this.#isResidual = stride === 1 && from === to;
    this.conv = new Sequential(
      ...(expandRatio === 1 ? [] : [new ConvNormActivation(from, width, 1, { activation })]),
      new ConvNormActivation(width, width, 3, { stride, groups: width, activation }),
      new Conv2d(width, to, 1, { bias: false }),
      new BatchNorm2d(to),
    );
  }

  override forward(x: Tensor): Tensor {
    const y = this.conv.forward(x);
    return this.#isResidual ? x.add(y) : y;
  }
}

/** Expansion, channels, blocks, stride of the first block (table 2 of the paper). */
const stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** Inverted residual blocks, then one dense layer: [batch, 3, height, width] to [batch, numClasses]. */
export class MobileNetV2 extends Module {
  features: Sequential;
  classifier: Sequential;

  constructor(options: MobileNetV2Options = {}) {
    super();
    const { numClasses, inChannels } = visionDefaults('MobileNetV2', options);
    const { widthMult = 1, dropout = 0.2 } = options;
    let channels = makeDivisible(32 * widthMult);
    const last = makeDivisible(1280 * Math.max(1, widthMult));
    const activation = ReLU6;
    this.features = new Sequential(new ConvNormActivation(inChannels, channels, 3, { stride: 2, activation }));
    for (const [expandRatio, width, count, stride] of stages) {
      const out = makeDivisible(width * widthMult);
      for (let i = 0; i < count; i++) {
        this.features.append(new InvertedResidual(channels, out, i === 0 ? stride : 1, expandRatio));
        channels = out;
      }
    }
    this.features.append(new ConvNormActivation(channels, last, 1, { activation }));
    this.classifier = new Sequential(new Dropout(dropout), new Linear(last, numClasses));
    initConvolutional(this);
  }

  override forward(x: Tensor): Tensor {
    return this.classifier.forward(F.adaptiveAvgPool2d(this.features.forward(x), 1).flatten(1));
  }
}

/** MobileNetV2 (torchvision.models.mobilenet_v2). */
export const mobilenetV2 = (options?: MobileNetV2Options): MobileNetV2 => new MobileNetV2(options);
