/** @file summary: layers, shapes, parameters and multiply-adds of a model, from tracing it; nothing is computed. */
import { type DType, dtypes } from '../ir/dtype.ts';
import { ArgumentError } from '../ir/errors.ts';
import { constant, type Value } from '../ir/graph.ts';
import { formatShape, type Shape } from '../ir/shape.ts';
import { noGrad, Tensor, zeros } from '../tensor/index.ts';
import { countMultiplyAdds } from './flops.ts';
import { type Module, Parameter } from './module.ts';

/** An input to imagine: its shape (float32), or shape and dtype. */
export type SummaryInput = Shape | { readonly shape: Shape; readonly dtype: DType };

/** One call of one module. */
export interface LayerSummary {
  /** Dotted name, '' for the model itself. */
  readonly name: string;
  /** Class name. */
  readonly type: string;
  /** 0 for the model itself. */
  readonly depth: number;
  /** Shapes of all outputs. */
  readonly outputShapes: readonly Shape[];
  /** Parameters of its own, not of its children. */
  readonly parameters: number;
  readonly trainable: number;
  /** Multiply-adds, its children's included. */
  readonly multiplyAdds: number;
}

export interface ModelSummary {
  readonly layers: readonly LayerSummary[];
  readonly parameters: number;
  readonly trainable: number;
  readonly frozen: number;
  /** Elements of buffers, such as running statistics. */
  readonly buffers: number;
  readonly multiplyAdds: number;
  /** Memory of parameters and buffers. */
  readonly parameterBytes: number;
  /** Memory of the outputs of all layers without children: roughly what training keeps for the backward pass. */
  readonly activationBytes: number;
  /** The table, as lines. */
  toString(): string;
}

const bytesOf = (tensors: readonly Tensor[]) => tensors.reduce((sum, t) => sum + t.numel() * dtypes[t.dtype].bytes, 0);
const elements = (tensors: readonly Tensor[]) => tensors.reduce((sum, t) => sum + t.numel(), 0);

/** All tensors in what a module returned. */
function tensorsIn(result: unknown): Tensor[] {
  if (result instanceof Tensor) return [result];
  if (Array.isArray(result)) return result.flatMap(tensorsIn);
  return typeof result === 'object' && result !== null ? Object.values(result).flatMap(tensorsIn) : [];
}

function isShape(inputs: SummaryInput | readonly SummaryInput[]): inputs is Shape {
  return Array.isArray(inputs) && inputs.every((x) => typeof x === 'number');
}

function imagine(input: SummaryInput): Tensor {
  return 'dtype' in input ? zeros(input.shape, { dtype: input.dtype }) : zeros(input);
}

type Row = { -readonly [K in keyof LayerSummary]: LayerSummary[K] };

/** Watches every module while the model is traced. */
function trace(model: Module, inputs: readonly Tensor[]): { rows: Row[]; activationBytes: number } {
  const rows: Row[] = [];
  const open: { row: Row; before: number }[] = [];
  let activationBytes = 0;
  const removers = [...model.namedModules()].flatMap(([name, module]) => [
    module.registerForwardHook((_, __, output) => {
      const call = open.pop();
      if (!call) return undefined;
      const tensors = tensorsIn(output);
      const { before } = call;
      // Values are numbered as they are made: older ones came from outside of this module.
      const stop = (v: Value) => v.id <= before;
      call.row.outputShapes = tensors.map((t) => t.shape);
      call.row.multiplyAdds = countMultiplyAdds(
        tensors.map((t) => t.value),
        stop,
      );
      if (!module.children().length) activationBytes += bytesOf(tensors);
      return undefined;
    }),
    module.registerForwardPreHook(() => {
      const own = Object.values(module).filter((p): p is Parameter => p instanceof Parameter);
      const row: Row = {
        name,
        type: module.constructor.name,
        depth: open.length,
        outputShapes: [],
        parameters: elements(own),
        trainable: elements(own.filter((p) => p.requiresGrad)),
        multiplyAdds: 0,
      };
      rows.push(row);
      open.push({ row, before: constant(0, 'float32').id });
      return undefined;
    }),
  ]);
  try {
    noGrad(() => (model.forward as (...xs: Tensor[]) => unknown).call(model, ...inputs));
  } finally {
    for (const remove of removers) remove();
  }
  return { rows, activationBytes };
}

/**
 * What a model consists of, for inputs of the given shapes: `summary(model, [1, 3, 224, 224])`, or a list of inputs such as
 * `[{ shape: [1, 128], dtype: 'int64' }]`. The model is traced in evaluation mode; nothing is computed.
 * @throws ArgumentError without inputs; ShapeError where they do not fit the model.
 */
export function summary(model: Module, inputs: SummaryInput | readonly SummaryInput[]): ModelSummary {
  if (Array.isArray(inputs) && !inputs.length)
    throw new ArgumentError('summary: give the shape of at least one input, as in [1, 3, 224, 224]');
  const list = isShape(inputs) || 'dtype' in inputs ? [inputs] : (inputs as readonly SummaryInput[]);
  const modes = model.modules().map((module) => [module, module.training] as const);
  model.eval();
  try {
    const { rows, activationBytes } = trace(model, list.map(imagine));
    return describe(model, rows, activationBytes);
  } finally {
    for (const [module, training] of modes) module.training = training;
  }
}

function describe(model: Module, layers: readonly LayerSummary[], activationBytes: number): ModelSummary {
  const parameters = model.parameters();
  const trainable = elements(parameters.filter((p) => p.requiresGrad));
  const totals = {
    layers,
    parameters: elements(parameters),
    trainable,
    frozen: elements(parameters) - trainable,
    buffers: elements(model.buffers()),
    multiplyAdds: layers[0]?.multiplyAdds ?? 0,
    parameterBytes: bytesOf([...parameters, ...model.buffers()]),
    activationBytes,
  };
  return { ...totals, toString: () => table(totals) };
}

const grouped = (n: number) => Math.round(n).toLocaleString('en-US');

/** 1,234 as 1.23 K, and so on up to P. */
function short(n: number): string {
  const units = ['', ' K', ' M', ' G', ' T', ' P'];
  let i = 0;
  let x = n;
  for (; x >= 1000 && i < units.length - 1; i++) x /= 1000;
  return `${i ? x.toPrecision(3) : x}${units[i]}`;
}

function table(summary: Omit<ModelSummary, 'toString'>): string {
  const header = ['Layer', 'Output shape', 'Parameters', 'Multiply-adds'];
  const body = summary.layers.map((layer) => {
    const own = layer.name.split('.').at(-1);
    const label = `${'  '.repeat(layer.depth)}${layer.type}${own ? ` (${own})` : ''}`;
    const frozen = layer.parameters > 0 && layer.trainable === 0 ? ' frozen' : '';
    return [
      label,
      layer.outputShapes.map(formatShape).join(', '),
      layer.parameters ? `${grouped(layer.parameters)}${frozen}` : '-',
      layer.multiplyAdds ? short(layer.multiplyAdds) : '-',
    ];
  });
  const widths = header.map((_, i) => Math.max(...[header, ...body].map((row) => row[i].length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd();
  const rule = '-'.repeat(widths.reduce((a, b) => a + b + 2, -2));
  return [
    line(header),
    rule,
    ...body.map(line),
    rule,
    `Parameters: ${grouped(summary.parameters)} (trainable ${grouped(summary.trainable)}, frozen ${grouped(summary.frozen)}); buffers: ${grouped(summary.buffers)}`,
    `Multiply-adds: ${short(summary.multiplyAdds)}`,
    `Memory: parameters and buffers ${short(summary.parameterBytes)}B, activations ${short(summary.activationBytes)}B`,
  ].join('\n');
}
