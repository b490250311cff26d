/** @file U-Net (Ronneberger et al. 2015) for segmentation. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { formatShape } from '../../ir/shape.ts';
import { Conv2d, MaxPool2d, Module, ModuleList, Sequential, Upsample } from '../../nn/index.ts';
import { cat, type Tensor } from '../../tensor/index.ts';
import { ConvNormActivation, initConvolutional, visionDefaults } from './blocks.ts';

export interface UNetOptions {
  /** Classes of a pixel. Default 2. */
  numClasses?: number;
  /** Channels of the input. Default 3. */
  inChannels?: number;
  /** Channels of the first level; each level below has twice as many. Default 64. */
  width?: number;
  /** How often the size is halved. Default 4. */
  depth?: number;
}

/** Two convolutions that keep the size, each with normalisation and ReLU. */
const twice = (from: number, to: number) =>
  new Sequential(new ConvNormActivation(from, to, 3), new ConvNormActivation(to, to, 3));

/**
 * A path down that halves the size and doubles the channels, and a path up that joins each level with its like:
 * [batch, 3, height, width] to [batch, numClasses, height, width]. Differs from the paper as is usual now: padded
 * convolutions (the output has the size of the input), batch normalisation, bilinear enlargement.
 *
 * State-dict keys: `down.{level}.{0,1}.{0,1}`, `up.{level}.{0,1}.{0,1}` (0 the lowest level), `head`.
 */
export class UNet extends Module {
  readonly depth: number;
  down: ModuleList<Sequential>;
  up: ModuleList<Sequential>;
  head: Conv2d;
  readonly #pool = new MaxPool2d(2);
  readonly #enlarge = new Upsample({ scaleFactor: 2, mode: 'bilinear', alignCorners: false });

  /** @throws ArgumentError for sizes that are no whole numbers of at least 1. */
  constructor(options: UNetOptions = {}) {
    super();
    const { numClasses, inChannels } = visionDefaults('UNet', { numClasses: 2, ...options });
    const { width = 64, depth = 4 } = options;
    for (const [name, value] of Object.entries({ width, depth }))
      if (!Number.isInteger(value) || value < 1)
        throw new ArgumentError(`UNet: ${name} must be a whole number of at least 1, found ${value}`);
    this.depth = depth;
    const channels = Array.from({ length: depth + 1 }, (_, level) => width * 2 ** level);
    this.down = new ModuleList(channels.map((to, level) => twice(level ? channels[level - 1] : inChannels, to)));
    const upwards = channels.slice(0, -1).reverse();
    this.up = new ModuleList(upwards.map((to) => twice(to * 3, to)));
    this.head = new Conv2d(width, numClasses, 1);
    initConvolutional(this);
  }

  /** @throws ShapeError unless height and width are multiples of 2 ** depth. */
  override forward(x: Tensor): Tensor {
    const step = 2 ** this.depth;
    if (x.ndim !== 4 || x.shape[2] % step || x.shape[3] % step)
      throw new ShapeError(
        `UNet of depth ${this.depth}: expected [batch, channels, height, width] with height and width multiples of ${step}, found ${formatShape(x.shape)}; pad or resize the images`,
      );
    const kept: Tensor[] = [];
    let y = x;
    for (const [level, block] of [...this.down].entries()) {
      if (level) {
        kept.push(y);
        y = this.#pool.forward(y);
      }
      y = block.forward(y);
    }
    for (const block of this.up) y = block.forward(cat([kept.pop() as Tensor, this.#enlarge.forward(y)], 1));
    return this.head.forward(y);
  }
}
