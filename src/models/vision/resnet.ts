/** @file ResNet (He et al. 2015) with torchvision's state-dict keys. */
import { ArgumentError } from '../../ir/errors.ts';
import * as F from '../../nn/functional/index.ts';
import { AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Linear, MaxPool2d, Module, Sequential } from '../../nn/index.ts';
import type { Tensor } from '../../tensor/index.ts';
import { initConvolutional, type VisionModelOptions, visionDefaults } from './blocks.ts';

export interface ResNetOptions extends VisionModelOptions {
  /**
   * 'imagenet' (default): a 7 x 7 convolution and a pool that divide the size by four; 'small': a 3 x 3 convolution that
   * keeps it, for images of 32 x 32 (the form of CIFAR papers; torchvision has no such model).
   */
  stem?: 'imagenet' | 'small';
  /** Channels of the first stage; each further one has twice as many. Default 64. */
  width?: number;
}

const conv3 = (from: number, to: number, stride = 1) => new Conv2d(from, to, 3, { stride, padding: 1, bias: false });
const conv1 = (from: number, to: number, stride = 1) => new Conv2d(from, to, 1, { stride, bias: false });

/** The way around a block: a 1 x 1 convolution where size or channels change. */
function shortcut(from: number, to: number, stride: number): Sequential | null {
  return stride === 1 && from === to ? null : new Sequential(conv1(from, to, stride), new BatchNorm2d(to));
}

/** Two 3 x 3 convolutions and a shortcut. */
class BasicBlock extends Module {
  static readonly expansion = 1;
  conv1: Conv2d;
  bn1: BatchNorm2d;
  conv2: Conv2d;
  bn2: BatchNorm2d;
  downsample: Sequential | null;

  constructor(channels: number, width: number, stride: number) {
    super();
    this.conv1 = conv3(channels, width, stride);
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = conv3(width, width);
    this.bn2 = new BatchNorm2d(width);
    this.downsample = shortcut(channels, width, stride);
  }

  override forward(x: Tensor): Tensor {
    const y = this.bn2.forward(this.conv2.forward(F.relu(this.bn1.forward(this.conv1.forward(x)))));
    return F.relu(y.add(this.downsample?.forward(x) ?? x));
  }
}

/** A 3 x 3 convolution between two of 1 x 1, and a shortcut. The stride is in the middle, as in torchvision (version 1.5). */
class Bottleneck extends Module {
  static readonly expansion = 4;
  conv1: Conv2d;
  bn1: BatchNorm2d;
  conv2: Conv2d;
  bn2: BatchNorm2d;
  conv3: Conv2d;
  bn3: BatchNorm2d;
  downsample: Sequential | null;

  constructor(channels: number, width: number, stride: number) {
    super();
    const out = width * Bottleneck.expansion;
    this.conv1 = conv1(channels, width);
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = conv3(width, width, stride);
    this.bn2 = new BatchNorm2d(width);
    this.conv3 = conv1(width, out);
    this.bn3 = new BatchNorm2d(out);
    this.downsample = shortcut(channels, out, stride);
  }

  override forward(x: Tensor): Tensor {
    let y = F.relu(this.bn1.forward(this.conv1.forward(x)));
    y = F.relu(this.bn2.forward(this.conv2.forward(y)));
    y = this.bn3.forward(this.conv3.forward(y));
    return F.relu(y.add(this.downsample?.forward(x) ?? x));
  }
}

const blocks = { basic: BasicBlock, bottleneck: Bottleneck } as const;

/** Four stages of residual blocks, then one dense layer: [batch, 3, height, width] to [batch, numClasses]. */
export class ResNet extends Module {
  conv1: Conv2d;
  bn1: BatchNorm2d;
  maxpool: MaxPool2d | null;
  layer1: Sequential;
  layer2: Sequential;
  layer3: Sequential;
  layer4: Sequential;
  avgpool = new AdaptiveAvgPool2d(1);
  fc: Linear;

  /** @param block kind of residual block. @param layers how many of them in each stage. */
  constructor(
    block: keyof typeof blocks,
    layers: readonly [number, number, number, number],
    options: ResNetOptions = {},
  ) {
    super();
    const { numClasses, inChannels } = visionDefaults('ResNet', options);
    const { stem, width: first = 64 } = options;
    if (!Number.isInteger(first) || first < 1)
      throw new ArgumentError(`ResNet: width must be a whole number of at least 1, found ${first}`);
    const small = stem === 'small';
    this.conv1 = small
      ? conv3(inChannels, first)
      : new Conv2d(inChannels, first, 7, { stride: 2, padding: 3, bias: false });
    this.bn1 = new BatchNorm2d(first);
    this.maxpool = small ? null : new MaxPool2d(3, { stride: 2, padding: 1 });
    const Block = blocks[block];
    let channels = first;
    const stage = (width: number, count: number, stride: number) => {
      const made = new Sequential();
      for (let i = 0; i < count; i++) {
        made.append(new Block(channels, width, i === 0 ? stride : 1));
        channels = width * Block.expansion;
      }
      return made;
    };
    this.layer1 = stage(first, layers[0], 1);
    this.layer2 = stage(first * 2, layers[1], 2);
    this.layer3 = stage(first * 4, layers[2], 2);
    this.layer4 = stage(first * 8, layers[3], 2);
    this.fc = new Linear(channels, numClasses);
    initConvolutional(this, 'default');
  }

  override forward(x: Tensor): Tensor {
    let y = F.relu(this.bn1.forward(this.conv1.forward(x)));
    if (this.maxpool) y = this.maxpool.forward(y);
    for (const stage of [this.layer1, this.layer2, this.layer3, this.layer4]) y = stage.forward(y);
    return this.fc.forward(this.avgpool.forward(y).flatten(1));
  }
}

/** ResNet with 18 layers (torchvision.models.resnet18). */
export const resnet18 = (options?: ResNetOptions): ResNet => new ResNet('basic', [2, 2, 2, 2], options);
/** ResNet with 34 layers (torchvision.models.resnet34). */
export const resnet34 = (options?: ResNetOptions): ResNet => new ResNet('basic', [3, 4, 6, 3], options);
/** ResNet with 50 layers (torchvision.models.resnet50). */
export const resnet50 = (options?: ResNetOptions): ResNet => new ResNet('bottleneck', [3, 4, 6, 3], options);
