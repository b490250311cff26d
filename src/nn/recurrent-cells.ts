/** @file RNNCell, LSTMCell, GRUCell: one step of a recurrence. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { formatShape } from '../ir/shape.ts';
import { carryOver } from '../tensor/autograd.ts';
import { type Tensor, uniform, zeros } from '../tensor/index.ts';
import * as F from './functional/index.ts';
import { Module, Parameter } from './module.ts';
import { elmanSteps, gruStep, lstmStep, type Step } from './recurrent-steps.ts';

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

  /** The states after x, and the states given or zeros. */
  protected next(step: Step, x: Tensor, ...given: (Tensor | null | undefined)[]): Tensor[] {
    const name = this.constructor.name;
    if ((x.ndim !== 1 && x.ndim !== 2) || x.shape.at(-1) !== this.inputSize)
      throw new ShapeError(
        `${name}: expected [batch, ${this.inputSize}] or [${this.inputSize}], found ${formatShape(x.shape)}`,
      );
    const shape = [...x.shape.slice(0, -1), this.hiddenSize];
    const states = given.map((state) => {
      if (state && formatShape(state.shape) !== formatShape(shape))
        throw new ShapeError(
          `${name}: a state must have shape ${formatShape(shape)} for an input of ${formatShape(x.shape)}, found ${formatShape(state.shape)}`,
        );
      return state ?? zeros(shape, { dtype: x.dtype });
    });
    const fromInput = F.linear(x, this.weightIh, this.biasIh);
    return step(fromInput, F.linear(states[0], this.weightHh, this.biasHh), states).map((s) => carryOver(s));
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
    return this.next(elmanSteps[this.nonlinearity], x, h)[0];
  }
}

/** One step of a GRU: x [batch, inputs] and h [batch, hidden] give the next h (torch.nn.GRUCell). */
export class GRUCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, options: { bias?: boolean } = {}) {
    super(3, inputSize, hiddenSize, options);
  }

  override forward(x: Tensor, h?: Tensor | null): Tensor {
    return this.next(gruStep, x, h)[0];
  }
}

/** One step of an LSTM: x [batch, inputs] and [h, c], each [batch, hidden], give the next [h, c] (torch.nn.LSTMCell). */
export class LSTMCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, options: { bias?: boolean } = {}) {
    super(4, inputSize, hiddenSize, options);
  }

  override forward(x: Tensor, state?: readonly [Tensor, Tensor] | null): [Tensor, Tensor] {
    const [h, c] = this.next(lstmStep, x, state?.[0], state?.[1]);
    return [h, c];
  }
}
