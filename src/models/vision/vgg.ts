/** @file VGG (Simonyan and Zisserman 2014) with torchvision's state-dict keys. */
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Dropout,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from '../../nn/index.ts';
import type { Tensor } from '../../tensor/index.ts';
import { initConvolutional, type VisionModelOptions, visionDefaults } from './blocks.ts';

export interface VGGOptions extends VisionModelOptions {
  /** Dropout between the dense layers. Default 0.5. */
  dropout?: number;
  /** Width of the two dense layers. Default 4096; 512 is usual for images of 32 x 32. */
  hidden?: number;
  /** Side of the feature map that the dense layers take, reached by averaging. Default 7; 1 is usual for images of 32 x 32. */
  pooled?: number;
}

/** Output channels of the convolutions, and how many of each, for each of the five blocks that end with a pool. */
const widths = [64, 128, 256, 512, 512];
const depths = { 11: [1, 1, 2, 2, 2], 13: [2, 2, 2, 2, 2], 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4] } as const;

/** Blocks of 3 x 3 convolutions and max-pools, then three dense layers: [batch, 3, height, width] to [batch, numClasses]. */
export class VGG extends Module {
  features: Sequential;
  avgpool: AdaptiveAvgPool2d;
  classifier: Sequential;

  /** @param depth layers with weights. @param batchNorm whether each convolution is normalised. */
  constructor(depth: 11 | 13 | 16 | 19, batchNorm: boolean, options: VGGOptions = {}) {
    super();
    const { numClasses, inChannels } = visionDefaults('VGG', options);
    const { dropout = 0.5, hidden = 4096, pooled = 7 } = options;
    this.features = new Sequential();
    let channels = inChannels;
    for (const [block, count] of depths[depth].entries()) {
      for (let i = 0; i < count; i++) {
        this.features.append(new Conv2d(channels, widths[block], 3, { padding: 1 }));
        channels = widths[block];
        if (batchNorm) this.features.append(new BatchNorm2d(channels));
        this.features.append(new ReLU());
      }
      this.features.append(new MaxPool2d(2));
    }
    this.avgpool = new AdaptiveAvgPool2d(pooled);
    this.classifier = new Sequential(
      new Linear(channels * pooled ** 2, hidden),
      new ReLU(),
      new Dropout(dropout),
      new Linear(hidden, hidden),
      new ReLU(),
      new Dropout(dropout),
      new Linear(hidden, numClasses),
    );
    initConvolutional(this);
  }

  override forward(x: Tensor): Tensor {
    return this.classifier.forward(this.avgpool.forward(this.features.forward(x)).flatten(1));
  }
}

/** VGG with 11 layers (torchvision.models.vgg11). */
export const vgg11 = (options?: VGGOptions): VGG => new VGG(11, false, options);
/** VGG with 11 layers and batch normalisation (torchvision.models.vgg11_bn). */
export const vgg11Bn = (options?: VGGOptions): VGG => new VGG(11, true, options);
/** VGG with 13 layers (torchvision.models.vgg13). */
export const vgg13 = (options?: VGGOptions): VGG => new VGG(13, false, options);
/** VGG with 13 layers and batch normalisation (torchvision.models.vgg13_bn). */
export const vgg13Bn = (options?: VGGOptions): VGG => new VGG(13, true, options);
/** VGG with 16 layers (torchvision.models.vgg16). */
export const vgg16 = (options?: VGGOptions): VGG => new VGG(16, false, options);
/** VGG with 16 layers and batch normalisation (torchvision.models.vgg16_bn). */
export const vgg16Bn = (options?: VGGOptions): VGG => new VGG(16, true, options);
/** VGG with 19 layers (torchvision.models.vgg19). */
export const vgg19 = (options?: VGGOptions): VGG => new VGG(19, false, options);
/** VGG with 19 layers and batch normalisation (torchvision.models.vgg19_bn). */
export const vgg19Bn = (options?: VGGOptions): VGG => new VGG(19, true, options);
