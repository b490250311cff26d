/** @file FCOS (Tian et al. 2019): a single-stage detector without anchors on a ResNet with a feature pyramid. */
import type { ExampleInput, ExportOptions } from '../../../hub/onnx/index.ts';
import { ArgumentError, ShapeError } from '../../../ir/errors.ts';
import { formatShape } from '../../../ir/shape.ts';
import * as F from '../../../nn/functional/index.ts';
import {
  type BatchNorm2d,
  Conv2d,
  GroupNorm,
  init,
  type MaxPool2d,
  Module,
  ModuleList,
  ReLU,
  Sequential,
} from '../../../nn/index.ts';
import { cat, compile, fromData, noGrad, stack, type Tensor } from '../../../tensor/index.ts';
import type { Detections } from '../../../train/metrics/index.ts';
import { type ResNet, resnet18 } from '../resnet.ts';
import { type DetectionOptions, detectionsOf } from './boxes.ts';
import { locationsOf } from './targets.ts';

export interface FCOSOptions {
  /** Kinds of objects. */
  numClasses: number;
  /** A ResNet whose stages are used; its last layer is not. Default `resnet18()`. */
  backbone?: ResNet;
  /** Channels of the pyramid and the head, a multiple of 8. Default 256. */
  width?: number;
  /** Convolutions of each branch of the head. Default 4. */
  depth?: number;
}

export interface FCOSOutput {
  /** [batch, n, 4]: x1, y1, x2, y2 in pixels for every location; in evaluation mode cut at the border. */
  boxes: Tensor;
  /** [batch, classes, n]: square root of the product of the probabilities of class and centre. */
  scores: Tensor;
  /** [batch, classes, n], before the sigmoid. */
  logits: Tensor;
  /** [batch, n], before the sigmoid. */
  centerness: Tensor;
}

/** A batch's targets, as a DataLoader stacks those of `assignTargets`. */
export interface DetectionTargetBatch {
  readonly labels: Tensor;
  readonly boxes: Tensor;
  readonly centerness: Tensor;
}

/** The stages of a ResNet: maps of an eighth, a sixteenth and a thirty-second of the size. */
class Stages extends Module {
  conv1: Conv2d;
  bn1: BatchNorm2d;
  maxpool: MaxPool2d;
  layer1: Sequential;
  layer2: Sequential;
  layer3: Sequential;
  layer4: Sequential;
  readonly channels: readonly number[];

  constructor(net: ResNet) {
    super();
    if (!net.maxpool)
      throw new ArgumentError("FCOS: the backbone's stem must be 'imagenet', which halves the size twice");
    this.conv1 = net.conv1;
    this.bn1 = net.bn1;
    this.maxpool = net.maxpool;
    this.layer1 = net.layer1;
    this.layer2 = net.layer2;
    this.layer3 = net.layer3;
    this.layer4 = net.layer4;
    this.channels = [net.fc.inFeatures / 4, net.fc.inFeatures / 2, net.fc.inFeatures];
  }

  override forward(x: Tensor): Tensor[] {
    const stem = this.maxpool.forward(F.relu(this.bn1.forward(this.conv1.forward(x))));
    const maps: Tensor[] = [this.layer2.forward(this.layer1.forward(stem))];
    for (const stage of [this.layer3, this.layer4]) maps.push(stage.forward(maps[maps.length - 1]));
    return maps;
  }
}

const conv3 = (from: number, to: number) => new Conv2d(from, to, 3, { padding: 1 });

/**
 * Every location of three feature maps (strides 8, 16, 32) says what object it lies in, where its four sides are, and how
 * central it lies: [batch, 3, height, width] to `FCOSOutput` with n = sum of the maps' locations.
 *
 * Differs from torchvision's fcos_resnet50_fpn: three maps instead of five, distances by exp as in the paper, any ResNet.
 * State-dict keys: `backbone.*` as the ResNet's, `inner.{map}`, `outer.{map}` of the pyramid, `class_branch.*`,
 * `box_branch.*`, `class_logits`, `distances`, `centerness`.
 */
export class FCOS extends Module {
  readonly numClasses: number;
  backbone: Stages;
  inner: ModuleList<Conv2d>;
  outer: ModuleList<Conv2d>;
  classBranch: Sequential;
  boxBranch: Sequential;
  classLogits: Conv2d;
  distances: Conv2d;
  centerness: Conv2d;
  #compiled: ((x: Tensor) => Promise<{ boxes: Tensor; scores: Tensor }>) | undefined;

  /** @throws ArgumentError for sizes that cannot be. */
  constructor({ numClasses, backbone = resnet18(), width = 256, depth = 4 }: FCOSOptions) {
    super();
    for (const [name, value] of Object.entries({ numClasses, width, depth }))
      if (!Number.isInteger(value) || value < 1)
        throw new ArgumentError(`FCOS: ${name} must be a whole number of at least 1, found ${value}`);
    if (width % 8) throw new ArgumentError(`FCOS: width must be a multiple of 8, found ${width}`);
    this.numClasses = numClasses;
    this.backbone = new Stages(backbone);
    this.inner = new ModuleList(this.backbone.channels.map((from) => new Conv2d(from, width, 1)));
    this.outer = new ModuleList(this.backbone.channels.map(() => conv3(width, width)));
    const branch = () =>
      new Sequential(
        ...Array.from({ length: depth }, () => [
          conv3(width, width),
          new GroupNorm(width / 8, width),
          new ReLU(),
        ]).flat(),
      );
    this.classBranch = branch();
    this.boxBranch = branch();
    this.classLogits = conv3(width, numClasses);
    this.distances = conv3(width, 4);
    this.centerness = conv3(width, 1);
    for (const part of [this.inner, this.outer])
      for (const conv of part) {
        init.kaimingUniform(conv.weight, { a: 1 });
        if (conv.bias) init.zeros(conv.bias);
      }
    for (const part of [this.classBranch, this.boxBranch, this.classLogits, this.distances, this.centerness])
      for (const conv of part.modules()) {
        if (!(conv instanceof Conv2d)) continue;
        init.normal(conv.weight, { std: part === this.classBranch || part === this.boxBranch ? 0.03 : 0.01 });
        if (conv.bias) init.zeros(conv.bias);
      }
    // At first all is background with probability 0.99, so that the many empty places do not swamp the loss.
    if (this.classLogits.bias) init.constant(this.classLogits.bias, -Math.log(99));
    // Boxes of about five strides.
    if (this.distances.bias) init.constant(this.distances.bias, 1);
  }

  /** @throws ShapeError unless x is [batch, channels, height, width]. */
  override forward(x: Tensor): FCOSOutput {
    if (x.ndim !== 4)
      throw new ShapeError(`FCOS: expected [batch, channels, height, width], found ${formatShape(x.shape)}`);
    const [, , height, width] = x.shape;
    const logits: Tensor[] = [];
    const sides: Tensor[] = [];
    const centers: Tensor[] = [];
    for (const map of this.#pyramid(this.backbone.forward(x))) {
      const [forClass, forBox] = [this.classBranch.forward(map), this.boxBranch.forward(map)];
      logits.push(this.classLogits.forward(forClass).flatten(2));
      sides.push(this.distances.forward(forBox).flatten(2));
      centers.push(this.centerness.forward(forBox).flatten(2));
    }
    const classes = cat(logits, 2);
    const center = cat(centers, 2);
    const boxes = this.#boxesOf(cat(sides, 2), height, width);
    return {
      boxes,
      scores: classes.sigmoid().mul(center.sigmoid()).sqrt(),
      logits: classes,
      centerness: center.squeeze(1),
    };
  }

  /** Coarse maps enlarged and added to finer ones (Lin et al. 2017). */
  #pyramid(maps: readonly Tensor[]): Tensor[] {
    const out: Tensor[] = [];
    let above: Tensor | undefined;
    for (let level = maps.length - 1; level >= 0; level--) {
      const own = this.inner.at(level).forward(maps[level]);
      const [, , height, width] = own.shape;
      above = above ? own.add(F.interpolate(above, { size: [height, width], mode: 'nearest' })) : own;
      out.unshift(this.outer.at(level).forward(above));
    }
    return out;
  }

  /** Corners from distances [batch, 4, n] to the four sides, in strides and before exp. */
  #boxesOf(raw: Tensor, height: number, width: number): Tensor {
    const { x, y, stride } = locationsOf(height, width);
    const [cx, cy, scale] = [x, y, stride].map((data) => fromData(data, [data.length]));
    const far = raw.clamp({ max: 8 }).exp().mul(scale);
    const side = (i: number) => far.select(1, i);
    const corners = [cx.sub(side(0)), cy.sub(side(1)), cx.add(side(2)), cy.add(side(3))];
    const cut = this.training ? corners : corners.map((v, i) => v.clamp({ min: 0, max: i % 2 ? height : width }));
    return stack(cut, 2);
  }

  /**
   * What is in the pictures x [batch, channels, height, width], by evaluation mode and non-maximum suppression.
   */
  async detect(x: Tensor, options: DetectionOptions = {}): Promise<Detections[]> {
    const before = this.training;
    this.eval();
    try {
      this.#compiled ??= compile((input: Tensor) =>
        noGrad(() => {
          const { boxes, scores } = this.forward(input);
          return { boxes, scores };
        }),
      );
      const { boxes, scores } = await this.#compiled(x);
      return detectionsOf(
        { data: await boxes.data(), shape: boxes.shape },
        { data: await scores.data(), shape: scores.shape },
        options,
      );
    } finally {
      this.train(before);
    }
  }

  /** For an export without `inputs`: pictures of 256 x 256. */
  exampleInputs(): ExampleInput[] {
    return [['batch', this.backbone.conv1.inChannels, 256, 256]];
  }

  /** An exported file has `boxes` and `scores`, as `nonMaxSuppressionTail` wants them. */
  exportOptions(): ExportOptions {
    return { outputs: ['boxes', 'scores'] };
  }
}

/** Parts of the loss of a detector, each a scalar. */
export interface DetectionLosses {
  readonly classes: Tensor;
  readonly boxes: Tensor;
  readonly centerness: Tensor;
  /** Their sum. */
  readonly loss: Tensor;
}

/**
 * The loss of FCOS: focal loss of the classes at all locations, generalised overlap of the boxes and binary cross entropy
 * of the centre-ness at those with an object; each summed and divided by the number of these (at least 1).
 */
export function fcosLoss(
  { boxes, logits, centerness }: Pick<FCOSOutput, 'boxes' | 'logits' | 'centerness'>,
  targets: DetectionTargetBatch,
): DetectionLosses {
  const { labels } = targets;
  const numbers = fromData(
    Float64Array.from({ length: logits.shape[1] }, (_, i) => i),
    [logits.shape[1], 1],
    {
      dtype: 'int64',
    },
  );
  const wanted = labels.unsqueeze(1).eq(numbers).to(logits.dtype);
  const isObject = labels.ge(0).to(logits.dtype);
  const count = isObject.sum().clamp({ min: 1 });
  const classes = F.sigmoidFocalLoss(logits, wanted, { reduction: 'sum' }).div(count);
  const overlap = F.generalizedBoxIouLoss(boxes, targets.boxes).mul(isObject).sum().div(count);
  const center = F.binaryCrossEntropyWithLogits(centerness, targets.centerness, { reduction: 'none' });
  const centers = center.mul(isObject).sum().div(count);
  return { classes, boxes: overlap, centerness: centers, loss: classes.add(overlap).add(centers) };
}
