/** @file MobileNetV3 (Howard et al. 2019) with torchvision's state-dict keys. */
import { AdaptiveAvgPool2d, Dropout, Hardswish, Linear, Module, ReLU, Sequential } from '../../nn/index.ts';
import type { Tensor } from '../../tensor/index.ts';
import {
  ConvNormActivation,
  initConvolutional,
  makeDivisible,
  SqueezeExcitation,
  type VisionModelOptions,
  visionDefaults,
} from './blocks.ts';

export interface MobileNetV3Options extends VisionModelOptions {
  /** Factor of all numbers of channels. Default 1. */
  widthMult?: number;
  /** Dropout before the last layer. Default 0.2. */
  dropout?: number;
}

/** Input channels, kernel, expanded channels, output channels, squeeze-and-excitation, hard swish, stride. */
type Row = readonly [number, number, number, number, boolean, boolean, number];
const [re, hs, se, no] = [false, true, true, false];

/** Tables 1 and 2 of the paper. */
const large: readonly Row[] = [
  [16, 3, 16, 16, no, re, 1],
  [16, 3, 64, 24, no, re, 2],
  [24, 3, 72, 24, no, re, 1],
  [24, 5, 72, 40, se, re, 2],
  [40, 5, 120, 40, se, re, 1],
  [40, 5, 120, 40, se, re, 1],
  [40, 3, 240, 80, no, hs, 2],
  [80, 3, 200, 80, no, hs, 1],
  [80, 3, 184, 80, no, hs, 1],
  [80, 3, 184, 80, no, hs, 1],
  [80, 3, 480, 112, se, hs, 1],
  [112, 3, 672, 112, se, hs, 1],
  [112, 5, 672, 160, se, hs, 2],
  [160, 5, 960, 160, se, hs, 1],
  [160, 5, 960, 160, se, hs, 1],
];
const small: readonly Row[] = [
  [16, 3, 16, 16, se, re, 2],
  [16, 3, 72, 24, no, re, 2],
  [24, 3, 88, 24, no, re, 1],
  [24, 5, 96, 40, se, hs, 2],
  [40, 5, 240, 40, se, hs, 1],
  [40, 5, 240, 40, se, hs, 1],
  [40, 5, 120, 48, se, hs, 1],
  [48, 5, 144, 48, se, hs, 1],
  [48, 5, 288, 96, se, hs, 2],
  [96, 5, 576, 96, se, hs, 1],
  [96, 5, 576, 96, se, hs, 1],
];
const norm = { eps: 1e-3, momentum: 0.01 };

class InvertedResidual extends Module {
  readonly #isResidual: boolean;
  block: Sequential;

  constructor([from, kernel, width, to, squeeze, hard, stride]: Row) {
    super();
    const options = { norm, activation: hard ? Hardswish : ReLU };
    this.#isResidual = stride === 1 && from === to;
    this.block = new Sequential(
      ...(width === from ? [] : [new ConvNormActivation(from, width, 1, options)]),
      new ConvNormActivation(width, width, kernel, { ...options, stride, groups: width }),
      ...(squeeze ? [new SqueezeExcitation(width, makeDivisible(Math.floor(width / 4)), 'hard')] : []),
      new ConvNormActivation(width, to, 1, { norm, activation: null }),
    );
  }

  override forward(x: Tensor): Tensor {
    const y = this.block.forward(x);
    return this.#isResidual ? y.add(x) : y;
  }
}

/** Inverted residual blocks with gates, then two dense layers: [batch, 3, height, width] to [batch, numClasses]. */
export class MobileNetV3 extends Module {
  features: Sequential;
  avgpool = new AdaptiveAvgPool2d(1);
  classifier: Sequential;

  constructor(size: 'small' | 'large', options: MobileNetV3Options = {}) {
    super();
    const { numClasses, inChannels } = visionDefaults('MobileNetV3', options);
    const { widthMult = 1, dropout = 0.2 } = options;
    const wide = (channels: number) => makeDivisible(channels * widthMult);
    const rows = size === 'large' ? large : small;
    const first = new ConvNormActivation(inChannels, wide(16), 3, { stride: 2, norm, activation: Hardswish });
    this.features = new Sequential(first);
    for (const [from, kernel, width, to, ...rest] of rows)
      this.features.append(new InvertedResidual([wide(from), kernel, wide(width), wide(to), ...rest]));
    const channels = wide(rows[rows.length - 1][3]);
    this.features.append(new ConvNormActivation(channels, 6 * channels, 1, { norm, activation: Hardswish }));
    const hidden = wide(size === 'large' ? 1280 : 1024);
    this.classifier = new Sequential(
      new Linear(6 * channels, hidden),
      new Hardswish(),
      new Dropout(dropout),
      new Linear(hidden, numClasses),
    );
    initConvolutional(this);
  }

  override forward(x: Tensor): Tensor {
    return this.classifier.forward(this.avgpool.forward(this.features.forward(x)).flatten(1));
  }
}

/** The small MobileNetV3 (torchvision.models.mobilenet_v3_small). */
export const mobilenetV3Small = (options?: MobileNetV3Options): MobileNetV3 => new MobileNetV3('small', options);
/** The large MobileNetV3 (torchvision.models.mobilenet_v3_large). */
export const mobilenetV3Large = (options?: MobileNetV3Options): MobileNetV3 => new MobileNetV3('large', options);
