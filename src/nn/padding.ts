/** @file Padding layers of one to three dimensions. */
import { ArgumentError } from '../ir/errors.ts';
import { type PadOptions, pad, type Tensor } from '../tensor/index.ts';
import { Module } from './module.ts';

/** A layer that adds elements around the last dimensions, or cuts them off where the amount is negative. */
abstract class Pad extends Module {
  /** Before and after the last dimension, then the one before it, and so on. */
  readonly padding: readonly number[];
  readonly #options: PadOptions;

  constructor(n: number, padding: number | readonly number[], options: PadOptions) {
    super();
    this.padding = typeof padding === 'number' ? Array<number>(2 * n).fill(padding) : [...padding];
    if (this.padding.length !== 2 * n)
      throw new ArgumentError(
        `${new.target.name}: padding must be one number or ${2 * n}, before and after each dimension; found [${this.padding.join(', ')}]`,
      );
    this.#options = options;
  }

  override forward(x: Tensor): Tensor {
    return pad(x, this.padding, this.#options);
  }

  override extraRepr(): string {
    const { value } = this.#options;
    return `padding=[${this.padding.join(', ')}]${value === undefined ? '' : `, value=${value}`}`;
  }
}

/** Zeros around [batch, channels, length] (torch.nn.ZeroPad1d). */
export class ZeroPad1d extends Pad {
  constructor(padding: number | readonly number[]) {
    super(1, padding, { mode: 'constant' });
  }
}

/** Mirror images around [batch, channels, length] (torch.nn.ReflectionPad1d). */
export class ReflectionPad1d extends Pad {
  constructor(padding: number | readonly number[]) {
    super(1, padding, { mode: 'reflect' });
  }
}

/** Copies of the edge around [batch, channels, length] (torch.nn.ReplicationPad1d). */
export class ReplicationPad1d extends Pad {
  constructor(padding: number | readonly number[]) {
    super(1, padding, { mode: 'replicate' });
  }
}

/** The other end around [batch, channels, length] (torch.nn.CircularPad1d). */
export class CircularPad1d extends Pad {
  constructor(padding: number | readonly number[]) {
    super(1, padding, { mode: 'circular' });
  }
}

/** One number around [batch, channels, length] (torch.nn.ConstantPad1d). */
export class ConstantPad1d extends Pad {
  constructor(padding: number | readonly number[], value: number) {
    super(1, padding, { mode: 'constant', value });
  }
}

/** Zeros around [batch, channels, height, width] (torch.nn.ZeroPad2d). */
export class ZeroPad2d extends Pad {
  constructor(padding: number | readonly number[]) {
    super(2, padding, { mode: 'constant' });
  }
}

/** Mirror images around [batch, channels, height, width] (torch.nn.ReflectionPad2d). */
export class ReflectionPad2d extends Pad {
  constructor(padding: number | readonly number[]) {
    super(2, padding, { mode: 'reflect' });
  }
}

/** Copies of the edge around [batch, channels, height, width] (torch.nn.ReplicationPad2d). */
export class ReplicationPad2d extends Pad {
  constructor(padding: number | readonly number[]) {
    super(2, padding, { mode: 'replicate' });
  }
}

/** The other end around [batch, channels, height, width] (torch.nn.CircularPad2d). */
export class CircularPad2d extends Pad {
  constructor(padding: number | readonly number[]) {
    super(2, padding, { mode: 'circular' });
  }
}

/** One number around [batch, channels, height, width] (torch.nn.ConstantPad2d). */
export class ConstantPad2d extends Pad {
  constructor(padding: number | readonly number[], value: number) {
    super(2, padding, { mode: 'constant', value });
  }
}

/** Zeros around [batch, channels, depth, height, width] (torch.nn.ZeroPad3d). */
export class ZeroPad3d extends Pad {
  constructor(padding: number | readonly number[]) {
    super(3, padding, { mode: 'constant' });
  }
}

/** Mirror images around [batch, channels, depth, height, width] (torch.nn.ReflectionPad3d). */
export class ReflectionPad3d extends Pad {
  constructor(padding: number | readonly number[]) {
    super(3, padding, { mode: 'reflect' });
  }
}

/** Copies of the edge around [batch, channels, depth, height, width] (torch.nn.ReplicationPad3d). */
export class ReplicationPad3d extends Pad {
  constructor(padding: number | readonly number[]) {
    super(3, padding, { mode: 'replicate' });
  }
}

/** The other end around [batch, channels, depth, height, width] (torch.nn.CircularPad3d). */
export class CircularPad3d extends Pad {
  constructor(padding: number | readonly number[]) {
    super(3, padding, { mode: 'circular' });
  }
}

/** One number around [batch, channels, depth, height, width] (torch.nn.ConstantPad3d). */
export class ConstantPad3d extends Pad {
  constructor(padding: number | readonly number[], value: number) {
    super(3, padding, { mode: 'constant', value });
  }
}
