/** @file RNN, LSTM and GRU layers over whole sequences. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import type { Attrs, Value } from '../ir/graph.ts';
import { formatShape } from '../ir/shape.ts';
import { gru, lstm, rnn } from '../ops/recurrent.ts';
import { carryOver } from '../tensor/autograd.ts';
import { cat, fromData, stack, Tensor, uniform, zeros } from '../tensor/index.ts';
import { checkElements } from '../tensor/lift.ts';
import * as F from './functional/index.ts';
import { Module, Parameter } from './module.ts';
import { elmanSteps, gruStep, lstmStep, type Step, stepByStep } from './recurrent-steps.ts';

export interface RecurrentOptions {
  /** Layers on top of each other. */
  numLayers?: number;
  bias?: boolean;
  /** Inputs are [batch, steps, features] instead of [steps, batch, features]. */
  batchFirst?: boolean;
  /** Probability of dropping an output on its way to the next layer, while training. */
  dropout?: number;
  /** Also run backwards in time; outputs of both directions are joined. */
  bidirectional?: boolean;
}

/** Options of a call. */
export interface SequenceOptions {
  /**
   * The length of each sequence of the batch. Outputs beyond it are 0 and the last state is that of the last valid step, as
   * torch.nn.utils.rnn.pack_padded_sequence gives.
   */
  lengths?: Tensor | readonly number[];
}

type Operator = (...operands: (Value | null | Attrs)[]) => readonly Value[];

export interface LSTMOptions extends RecurrentOptions {
  /** Features of the hidden state after a projection, fewer than hiddenSize; 0 for none. Slower: step by step. */
  projSize?: number;
}

/** How PyTorch's weights become those of the ONNX operator. */
interface Kind {
  readonly operator: Operator;
  /** Position of ONNX's gates among PyTorch's. */
  readonly gates: readonly number[];
  readonly attrs: Attrs;
  readonly step: Step;
}

/** What a layer of one kind gives: all hidden states, and the last states of all layers and directions. */
interface Run {
  readonly output: Tensor;
  readonly last: readonly Tensor[];
}

const suffix = (layer: number, reverse: boolean) => `L${layer}${reverse ? 'Reverse' : ''}`;

abstract class Recurrent extends Module {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly hasBias: boolean;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly bidirectional: boolean;
  readonly projSize: number;
  readonly #kind: Kind;

  constructor(kind: Kind, inputSize: number, hiddenSize: number, options: LSTMOptions) {
    super();
    const {
      numLayers = 1,
      bias = true,
      batchFirst = false,
      dropout = 0,
      bidirectional = false,
      projSize = 0,
    } = options;
    for (const [name, value] of Object.entries({ inputSize, hiddenSize, numLayers }))
      if (!Number.isInteger(value) || value < 1)
        throw new ArgumentError(`${new.target.name}: ${name} must be a whole number above 0, found ${value}`);
    if (!(dropout >= 0 && dropout <= 1))
      throw new ArgumentError(`${new.target.name}: dropout must be in [0, 1], found ${dropout}`);
    if (!Number.isInteger(projSize) || projSize < 0 || projSize >= hiddenSize)
      throw new ArgumentError(
        `${new.target.name}: projSize must be a whole number below hiddenSize (${hiddenSize}), found ${projSize}`,
      );
    this.#kind = kind;
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.hasBias = bias;
    this.batchFirst = batchFirst;
    this.dropout = dropout;
    this.bidirectional = bidirectional;
    this.projSize = projSize;
    const rows = kind.gates.length * hiddenSize;
    const bound = 1 / Math.sqrt(hiddenSize);
    const define = (name: string, shape: number[]) =>
      Object.defineProperty(this, name, {
        value: new Parameter(uniform(shape, -bound, bound)),
        enumerable: true,
        writable: true,
        configurable: true,
      });
    for (let layer = 0; layer < numLayers; layer++)
      for (const reverse of this.#directions()) {
        const end = suffix(layer, reverse);
        define(`weightIh${end}`, [rows, layer ? this.#outputSize * (bidirectional ? 2 : 1) : inputSize]);
        define(`weightHh${end}`, [rows, this.#outputSize]);
        if (bias) for (const name of [`biasIh${end}`, `biasHh${end}`]) define(name, [rows]);
        if (projSize) define(`weightHr${end}`, [projSize, hiddenSize]);
      }
  }

  get #outputSize(): number {
    return this.projSize || this.hiddenSize;
  }

  #directions(): boolean[] {
    return this.bidirectional ? [false, true] : [false];
  }

  /** A parameter by the name of its property, such as `weightIhL0Reverse`. */
  weight(name: string): Tensor {
    const value: unknown = Reflect.get(this, name);
    if (!(value instanceof Tensor)) throw new ArgumentError(`${this.constructor.name} has no parameter ${name}`);
    return value;
  }

  /** All layers over x. `initial` holds [layers * directions, batch, hidden] for each kind of state, or null for zeros. */
  protected run(x: Tensor, initial: readonly (Tensor | null)[], { lengths }: SequenceOptions): Run {
    if (x.ndim === 2) {
      if (lengths)
        throw new ArgumentError(
          `${this.constructor.name}: lengths need a batch of sequences, found ${formatShape(x.shape)}`,
        );
      return this.#withoutBatch(x, initial);
    }
    if (x.ndim !== 3 || x.shape[2] !== this.inputSize)
      throw new ShapeError(
        `${this.constructor.name}: expected [${this.batchFirst ? 'batch, steps' : 'steps, batch'}, ${this.inputSize}], found ${formatShape(x.shape)}`,
      );
    let y = this.batchFirst ? x.transpose(0, 1) : x;
    const [steps, batch] = y.shape;
    if (steps === 0)
      throw new ShapeError(
        `${this.constructor.name}: a sequence needs at least one step, found ${formatShape(x.shape)}`,
      );
    const count = this.#directions().length;
    for (const [i, state] of initial.entries()) this.#checkState(state, batch, i);
    const ends = lengths ? this.#lengths(lengths, steps, batch) : null;
    const last: Tensor[][] = initial.map(() => []);
    for (let layer = 0; layer < this.numLayers; layer++) {
      if (layer && this.dropout > 0) y = F.dropout(y, { p: this.dropout, training: this.training });
      const states = initial.map((s) => s?.narrow(0, layer * count, count) ?? null);
      const [all, ...finals] =
        this.projSize || batch === 0 || x.dtype === 'float64'
          ? this.#stepByStep(layer, y, ends, states)
          : this.#layer(layer, y, ends, states);
      y = (count === 1 ? all : all.transpose(1, 2)).reshape([steps, batch, count * this.#outputSize]);
      finals.forEach((state, i) => {
        last[i].push(carryOver(state));
      });
    }
    const joined = last.map((states) => (states.length === 1 ? states[0] : cat(states, 0)));
    return { output: this.batchFirst ? y.transpose(0, 1) : y, last: joined };
  }

  #withoutBatch(x: Tensor, initial: readonly (Tensor | null)[]): Run {
    const dim = this.batchFirst ? 0 : 1;
    const { output, last } = this.run(
      x.unsqueeze(dim),
      initial.map((s) => s?.unsqueeze(1) ?? null),
      {},
    );
    return { output: output.squeeze(dim), last: last.map((s) => s.squeeze(1)) };
  }

  #checkState(state: Tensor | null, batch: number, which: number): void {
    const features = which === 0 ? this.#outputSize : this.hiddenSize;
    const shape = [this.numLayers * this.#directions().length, batch, features];
    if (state && formatShape(state.shape) !== formatShape(shape))
      throw new ShapeError(
        `${this.constructor.name}: an initial state must be [layers * directions, batch, hidden] = ${formatShape(shape)}, found ${formatShape(state.shape)}`,
      );
  }

  #lengths(lengths: Tensor | readonly number[], steps: number, batch: number): Tensor {
    const fail = (found: string): never => {
      throw new ArgumentError(
        `${this.constructor.name}: lengths must be ${batch} whole numbers from 1 to ${steps}, found ${found}`,
      );
    };
    const fits = (n: number) => Number.isInteger(n) && n >= 1 && n <= steps;
    if (!(lengths instanceof Tensor)) {
      if (lengths.length !== batch || !lengths.every(fits)) fail(lengths.join(', '));
      return fromData(Int32Array.from(lengths), [batch]);
    }
    if (lengths.ndim !== 1 || lengths.shape[0] !== batch) fail(`shape ${formatShape(lengths.shape)}`);
    checkElements(lengths, (n, at) => fits(n) || fail(`${n} at position ${at}`));
    return lengths.to('int32');
  }

  /** All hidden states [steps, directions, batch, hidden] and the last states [directions, batch, hidden] of one layer. */
  #layer(layer: number, x: Tensor, lengths: Tensor | null, states: readonly (Tensor | null)[]): Tensor[] {
    const { operator, attrs } = this.#kind;
    const both = (make: (end: string) => Tensor) => {
      const parts = this.#directions().map((reverse) => make(suffix(layer, reverse)).unsqueeze(0));
      return (parts.length === 1 ? parts[0] : cat(parts, 0)).value;
    };
    const w = both((end) => this.#toOnnx(this.weight(`weightIh${end}`)));
    const r = both((end) => this.#toOnnx(this.weight(`weightHh${end}`)));
    const b = this.hasBias
      ? both((end) => cat([this.#toOnnx(this.weight(`biasIh${end}`)), this.#toOnnx(this.weight(`biasHh${end}`))]))
      : null;
    const direction = this.bidirectional ? 'bidirectional' : 'forward';
    const activations = attrs.activations as readonly string[] | undefined;
    const results = operator(x.value, w, r, b, lengths?.value ?? null, ...states.map((s) => s?.value ?? null), {
      ...attrs,
      ...(activations && this.bidirectional ? { activations: [...activations, ...activations] } : {}),
      hidden_size: this.hiddenSize,
      direction,
    });
    return results.map((v) => new Tensor(v));
  }

  /** The same step by step: with a projection, in float64 and of an empty batch, for which ONNX Runtime has no kernel. */
  #stepByStep(layer: number, x: Tensor, lengths: Tensor | null, states: readonly (Tensor | null)[]): Tensor[] {
    const first = (i: number) => zeros([x.shape[1], i === 0 ? this.#outputSize : this.hiddenSize], { dtype: x.dtype });
    const runs = this.#directions().map((reverse, d) => {
      const end = suffix(layer, reverse);
      return stepByStep({
        step: this.#kind.step,
        x,
        weightIh: this.weight(`weightIh${end}`),
        weightHh: this.weight(`weightHh${end}`),
        biasIh: this.hasBias ? this.weight(`biasIh${end}`) : null,
        biasHh: this.hasBias ? this.weight(`biasHh${end}`) : null,
        weightHr: this.projSize ? this.weight(`weightHr${end}`) : null,
        initial: states.map((s, i) => s?.select(0, d) ?? first(i)),
        lengths,
        reverse,
      });
    });
    const ys = runs.map(({ y }) => y);
    return [stack(ys, 1), ...states.map((_, i) => stack(runs.map(({ last }) => last[i])))];
  }

  /** Rows in the order of ONNX's gates. */
  #toOnnx(weight: Tensor): Tensor {
    const { gates } = this.#kind;
    if (gates.length === 1) return weight;
    const parts = weight.chunk(gates.length, 0);
    return cat(gates.map((i) => parts[i]));
  }

  override extraRepr(): string {
    const { inputSize, hiddenSize, numLayers, batchFirst, dropout, bidirectional } = this;
    return `${inputSize}, ${hiddenSize}, numLayers=${numLayers}, batchFirst=${batchFirst}, dropout=${dropout}, bidirectional=${bidirectional}`;
  }
}

const elman: Readonly<Record<'tanh' | 'relu', Kind>> = {
  tanh: { operator: rnn, gates: [0], attrs: { activations: ['Tanh'] }, step: elmanSteps.tanh },
  relu: { operator: rnn, gates: [0], attrs: { activations: ['Relu'] }, step: elmanSteps.relu },
};
// PyTorch: i, f, g, o; ONNX: i, o, f, c.
const lstmKind: Kind = { operator: lstm, gates: [0, 3, 1, 2], attrs: {}, step: lstmStep };
// PyTorch: r, z, n; ONNX: z, r, h. The reset gate comes after the product, as in PyTorch.
const gruKind: Kind = { operator: gru, gates: [1, 0, 2], attrs: { linear_before_reset: 1 }, step: gruStep };

export interface RNNOptions extends RecurrentOptions {
  nonlinearity?: 'tanh' | 'relu';
}

/** h = tanh(W x + b + R h' + c), or relu (Elman 1990; torch.nn.RNN). */
export class RNN extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, { nonlinearity = 'tanh', ...options }: RNNOptions = {}) {
    if (!(nonlinearity in elman))
      throw new ArgumentError(`RNN: nonlinearity must be 'tanh' or 'relu', found '${nonlinearity}'`);
    super(elman[nonlinearity], inputSize, hiddenSize, options);
  }

  /** @returns all outputs, and the last hidden state [layers * directions, batch, hidden]. */
  override forward(x: Tensor, h0: Tensor | null = null, options: SequenceOptions = {}): [Tensor, Tensor] {
    const { output, last } = this.run(x, [h0], options);
    return [output, last[0]];
  }
}

/** Gated recurrent unit (Cho et al. 2014; torch.nn.GRU). */
export class GRU extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(gruKind, inputSize, hiddenSize, options);
  }

  /** @returns all outputs, and the last hidden state [layers * directions, batch, hidden]. */
  override forward(x: Tensor, h0: Tensor | null = null, options: SequenceOptions = {}): [Tensor, Tensor] {
    const { output, last } = this.run(x, [h0], options);
    return [output, last[0]];
  }
}

/** Long short-term memory (Hochreiter and Schmidhuber 1997; torch.nn.LSTM). */
export class LSTM extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, options: LSTMOptions = {}) {
    super(lstmKind, inputSize, hiddenSize, options);
  }

  /** @returns all outputs, and the last hidden and cell state, each [layers * directions, batch, hidden]. */
  override forward(
    x: Tensor,
    initial: readonly [Tensor, Tensor] | null = null,
    options: SequenceOptions = {},
  ): [Tensor, [Tensor, Tensor]] {
    const { output, last } = this.run(x, initial ?? [null, null], options);
    return [output, [last[0], last[1]]];
  }
}
