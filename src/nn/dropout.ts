/** @file Dropout layers: random zeros while training, nothing in evaluation. */
import { ArgumentError } from '../ir/errors.ts';
import type { Tensor } from '../tensor/index.ts';
import * as F from './functional/index.ts';
import { Module } from './module.ts';

abstract class Drop extends Module {
  readonly p: number;

  /** @throws ArgumentError unless p is in [0, 1]. */
  constructor(p = 0.5) {
    super();
    if (!(p >= 0 && p <= 1)) throw new ArgumentError(`${new.target.name}: p must be in [0, 1], found ${p}`);
    this.p = p;
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}

/** Sets each element to 0 with probability p and scales the others by 1 / (1 - p) (torch.nn.Dropout). */
export class Dropout extends Drop {
  override forward(x: Tensor): Tensor {
    return F.dropout(x, { p: this.p, training: this.training });
  }
}

/** Drops whole channels of [batch, channels, length] (torch.nn.Dropout1d). */
export class Dropout1d extends Drop {
  override forward(x: Tensor): Tensor {
    return F.dropout1d(x, { p: this.p, training: this.training });
  }
}

/** Drops whole channels of [batch, channels, height, width] (torch.nn.Dropout2d). */
export class Dropout2d extends Drop {
  override forward(x: Tensor): Tensor {
    return F.dropout2d(x, { p: this.p, training: this.training });
  }
}

/** Drops whole channels of [batch, channels, depth, height, width] (torch.nn.Dropout3d). */
export class Dropout3d extends Drop {
  override forward(x: Tensor): Tensor {
    return F.dropout3d(x, { p: this.p, training: this.training });
  }
}

/** Dropout that keeps mean and variance of inputs that SELU normalised (torch.nn.AlphaDropout). */
export class AlphaDropout extends Drop {
  override forward(x: Tensor): Tensor {
    return F.alphaDropout(x, { p: this.p, training: this.training });
  }
}
