/** @file The networks that are chosen by the data: a perceptron for tables, a convolutional network for images. */
import { ArgumentError } from '../ir/errors.ts';
import { maxPool2d } from '../nn/functional/index.ts';
import { BatchNorm2d, Conv2d, Dropout, Linear, Module, ModuleList } from '../nn/index.ts';
import type { Tensor } from '../tensor/index.ts';

/** Dense layers with ReLU and dropout between them: [batch, inputs] to [batch, outputs]. */
export class Perceptron extends Module {
  layers: ModuleList<Linear>;
  dropout: Dropout;

  constructor({
    inputs,
    hidden,
    outputs,
    dropout,
  }: { inputs: number; hidden: readonly number[]; outputs: number; dropout: number }) {
    super();
    const widths = [inputs, ...hidden, outputs];
    this.layers = new ModuleList(widths.slice(1).map((width, i) => new Linear(widths[i], width)));
    this.dropout = new Dropout(dropout);
  }

  override forward(x: Tensor): Tensor {
    const [last, ...rest] = [...this.layers].reverse();
    for (const layer of rest.reverse()) x = this.dropout.forward(layer.forward(x).relu());
    return last.forward(x);
  }
}

/**
 * Blocks of 3 x 3 convolutions with batch normalisation, each halving the picture; then the mean of each channel and a
 * dense layer: [batch, channels, height, width] to [batch, outputs].
 */
export class ConvNet extends Module {
  convs: ModuleList<Conv2d>;
  norms: ModuleList<BatchNorm2d>;
  dropout: Dropout;
  head: Linear;
  /** Convolutions of each block. */
  readonly #depths: readonly number[];

  constructor({
    channels,
    widths,
    depths,
    outputs,
    dropout,
  }: {
    channels: number;
    /** Channels of each block. */
    widths: readonly number[];
    depths: readonly number[];
    outputs: number;
    dropout: number;
  }) {
    super();
    if (widths.length === 0 || widths.length !== depths.length)
      throw new ArgumentError(`ConvNet: ${widths.length} widths for ${depths.length} depths`);
    const sizes = widths.flatMap((width, block) => Array.from({ length: depths[block] }, () => width));
    this.convs = new ModuleList(
      sizes.map((width, i) => new Conv2d(i === 0 ? channels : sizes[i - 1], width, 3, { padding: 1, bias: false })),
    );
    this.norms = new ModuleList(sizes.map((width) => new BatchNorm2d(width)));
    this.dropout = new Dropout(dropout);
    this.head = new Linear(sizes[sizes.length - 1], outputs);
    this.#depths = depths;
  }

  override forward(x: Tensor): Tensor {
    let i = 0;
    for (const depth of this.#depths) {
      for (let k = 0; k < depth; k++, i++) x = this.norms.at(i).forward(this.convs.at(i).forward(x)).relu();
      x = maxPool2d(x, 2);
    }
    return this.head.forward(this.dropout.forward(x.mean([2, 3])));
  }
}
