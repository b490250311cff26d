/** @file RNNCell, LSTMCell, GRUCell: one step of a recurrence. */
import { ArgumentError } from '../ir/errors.ts';
import { carryOver } from '../tensor/autograd.ts';
import { type Tensor, uniform, zeros } from '../tensor/index.ts';
import * as F from './functional/index.ts';
import { Module, Parameter } from './module.ts';

/** What cells have in common: weights of `gates` blocks of rows. */
abstract class Cell extends Module {
  readonly inputSize: number;
  readonly hiddenSize: number;
  weightIh: Parameter;
  weightHh: Parameter;
  biasIh: Parameter | null;
  biasHh: Parameter | null;

  constructor(gates: number, inputSize: number, hiddenSize: number, { bias = true }: { bias?: boolean } = {}) {
    super();
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    const bound = 1 / Math.sqrt(hiddenSize);
    const make = (...shape: number[]) => new Parameter(uniform([gates * hiddenSize, ...shape], -bound, bound));
    this.weightIh = make(inputSize);
    this.weightHh = make(hiddenSize);
    this.biasIh = bias ? make() : null;
    this.biasHh = bias ? make() : null;
  }

  protected fromInput(x: Tensor): Tensor {
    return F.linear(x, this.weightIh, this.biasIh);
  }

  protected fromHidden(h: Tensor): Tensor {
    return F.linear(h, this.weightHh, this.biasHh);
  }

  /** The state given, or zeros. */
  protected state(h: Tensor | null | undefined, x: Tensor): Tensor {
    return h ?? zeros([...x.shape.slice(0, -1), this.hiddenSize], { dtype: x.dtype });
  }

  override extraRepr(): string {
    return `${this.inputSize}, ${this.hiddenSize}, bias=${this.biasIh !== null}`;
  }
}

/** One step of an RNN: x [batch, inputs] and h [batch, hidden] give the next h (torch.nn.RNNCell). */
export class RNNCell extends Cell {
  readonly nonlinearity: 'tanh' | 'relu';

  constructor(
    inputSize: number,
    hiddenSize: number,
    { nonlinearity = 'tanh', ...options }: { bias?: boolean; nonlinearity?: 'tanh' | 'relu' } = {},
  ) {
    super(1, inputSize, hiddenSize, options);
    if (nonlinearity !== 'tanh' && nonlinearity !== 'relu')
      throw new ArgumentError(`RNNCell: nonlinearity must be 'tanh' or 'relu', found '${nonlinearity}'`);
    this.nonlinearity = nonlinearity;
  }

  override forward(x: Tensor, h?: Tensor | null): Tensor {
    const sum = this.fromInput(x).add(this.fromHidden(this.state(h, x)));
    return carryOver(this.nonlinearity === 'relu' ? sum.relu() : sum.tanh());
  }
}

/** One step of a GRU: x [batch, inputs] and h [batch, hidden] give the next h (torch.nn.GRUCell). */
export class GRUCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, options: { bias?: boolean } = {}) {
    super(3, inputSize, hiddenSize, options);
  }

  override forward(x: Tensor, h?: Tensor | null): Tensor {
    const before = this.state(h, x);
    const [ri, zi, ni] = this.fromInput(x).chunk(3, -1);
    const [rh, zh, nh] = this.fromHidden(before).chunk(3, -1);
    const n = ni.add(ri.add(rh).sigmoid().mul(nh)).tanh();
    return carryOver(n.add(zi.add(zh).sigmoid().mul(before.sub(n))));
  }
}

/** One step of an LSTM: x [batch, inputs] and [h, c], each [batch, hidden], give the next [h, c] (torch.nn.LSTMCell). */
export class LSTMCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, options: { bias?: boolean } = {}) {
    super(4, inputSize, hiddenSize, options);
  }

  override forward(x: Tensor, state?: readonly [Tensor, Tensor] | null): [Tensor, Tensor] {
    const [i, f, g, o] = this.fromInput(x)
      .add(this.fromHidden(this.state(state?.[0], x)))
      .chunk(4, -1);
    const c = f.sigmoid().mul(this.state(state?.[1], x)).add(i.sigmoid().mul(g.tanh()));
    return [carryOver(o.sigmoid().mul(c.tanh())), carryOver(c)];
  }
}
