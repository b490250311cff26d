/** @file Imported steps applied to graph values; shape arithmetic folds away on the way. */
import { FormatError, ShapeError, UnsupportedError } from '../../ir/errors.ts';
import { type Attrs, constant, type OpDefinition, Value } from '../../ir/graph.ts';
import { formatShape, sizeOf } from '../../ir/shape.ts';
import { apply, withGrad } from '../../ops/define.ts';
import { add, expand, mul, reshape, slice, stopGradient } from '../../ops/index.ts';
import { constantFromProto } from './attributes.ts';
import { type Body, inStep, type Step, unknownOperator } from './program.ts';

/** No tensor of this many elements fits a typed array; a file that asks for one is refused before anything is allocated. */
const maxElements = 2 ** 32;

/** Names and what they stand for; inner bodies see the outer ones. */
export class Scope {
  readonly #values = new Map<string, Value>();
  readonly #outer: Scope | null;

  constructor(outer: Scope | null = null) {
    this.#outer = outer;
  }

  get(name: string): Value | undefined {
    return this.#values.get(name) ?? this.#outer?.get(name);
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }
}

/** What tracing needs to know besides the graph. */
export interface TraceOptions {
  /** False makes Dropout and BatchNormalization behave as in inference, whatever the file says. */
  readonly training: boolean;
  /** Told of the running statistics that a BatchNormalization in training mode computes. */
  readonly onStatistics?: (step: Step, mean: Value, variance: Value) => void;
  /** May replace what a step gives. */
  readonly adapt?: (step: Step, inputs: readonly (Value | null)[], result: Value) => Value;
}

/**
 * Applies the steps of a body.
 * @throws the error of the operator, completed by the node; UnsupportedError for operators and control flow that cannot
 *   be traced.
 */
export function traceBody(body: Body, scope: Scope, options: TraceOptions): Value[] {
  for (const tensor of body.initializers)
    if (!scope.get(tensor.name)) {
      const { dtype, shape, data } = constantFromProto(tensor, 'ONNX file');
      scope.set(tensor.name, Value.constant(dtype, shape, data));
    }
  for (const step of body.steps) {
    // A Constant that is kept as a parameter.
    if (step.type === 'Constant' && scope.get(step.outputs[0])) continue;
    try {
      traceStep(step, scope, options);
    } catch (error) {
      throw inStep(error, step);
    }
  }
  return body.outputs.map((name) => read(name, scope));
}

function read(name: string, scope: Scope): Value {
  const value = scope.get(name);
  if (!value)
    throw new UnsupportedError(
      `value '${name}' is an optional output that Gradus does not compute, but another node reads it`,
    );
  return value;
}

function traceStep(step: Step, scope: Scope, options: TraceOptions): void {
  const inputs = step.inputs.map((name) => (name === '' ? null : read(name, scope)));
  const results = step.type === 'If' ? branch(step, inputs, scope, options) : applyStep(step, inputs, options);
  step.outputs.forEach((name, i) => {
    const value = i === 0 && options.adapt ? options.adapt(step, inputs, results[0]) : results[i];
    if (!name || !value) return;
    if (!value.shape.every(Number.isSafeInteger) || sizeOf(value.shape) > maxElements)
      throw new ShapeError(
        `its output would have shape ${formatShape(value.shape)}, more elements than memory can hold`,
      );
    scope.set(name, value);
  });
}

function applyStep(step: Step, inputs: readonly (Value | null)[], options: TraceOptions): readonly Value[] {
  if (!step.op) throw unknownOperator(step);
  const attrs = step.attrs();
  if (step.type === 'BatchNormalization' && attrs.training_mode === 1) {
    if (!options.training) return apply(step.op, inputs, { ...attrs, training_mode: 0 });
    return batchStatistics(step, step.op, inputs, attrs, options);
  }
  if (step.type === 'Dropout' && !options.training) return apply(step.op, inputs.slice(0, 2), attrs);
  if (step.type === 'OneHot' && (inputs[1]?.constant?.[0] ?? 0) * (inputs[0]?.size ?? 0) > maxElements)
    throw new ShapeError(`its depth of ${inputs[1]?.constant?.[0]} makes more elements than memory can hold`);
  if (step.type === 'RotaryEmbedding' && step.domain === '') return apply(step.op, rotaryTables(inputs), attrs);
  return apply(step.op, inputs, attrs);
}

/** PyTorch's exporter gives tables of batch size 1, which ONNX Runtime takes for a batch of 1 only. */
function rotaryTables(inputs: readonly (Value | null)[]): readonly (Value | null)[] {
  const [x, cos, sin, positions] = inputs;
  if (!x || positions || cos?.rank !== 3 || sin?.rank !== 3 || cos.shape[0] !== 1) return inputs;
  return [x, ...[cos, sin].map((t) => expand(t, t.shape.with(0, x.shape[0])))];
}

/**
 * BatchNormalization in training mode. The node sees placeholders in place of the running statistics, which it only passes
 * on: the output can then still be differentiated after they have moved.
 */
function batchStatistics(
  step: Step,
  op: OpDefinition,
  [x, scale, bias, mean, variance]: readonly (Value | null)[],
  attrs: Attrs,
  { onStatistics }: TraceOptions,
): readonly Value[] {
  if (!x || !mean || !variance) return apply(op, [x, scale, bias, mean, variance], attrs);
  const results = apply(op, [x, scale, bias, corner(x, 0), corner(x, 1)], { ...attrs, momentum: 0 });
  const kept = typeof attrs.momentum === 'number' ? attrs.momentum : 0.9;
  const blend = (old: Value, batch: Value) =>
    add(mul(old, constant(kept, old.dtype)), mul(batch, constant(1 - kept, old.dtype)));
  const moved = withGrad(false, () => [blend(mean, results[1]), blend(variance, results[2])]);
  onStatistics?.(step, moved[0], moved[1]);
  return [results[0], ...moved];
}

/**
 * One element per channel: the first or the last of each. ONNX Runtime writes the new statistics into the memory of the old
 * ones, so that these must not be shared, neither with each other nor with another normalisation; x's own are not.
 */
function corner(x: Value, end: 0 | 1): Value {
  const starts = x.shape.map((n, i) => (i === 1 ? 0 : end * (n - 1)));
  const ends = starts.map((s, i) => (i === 1 ? x.shape[1] : s + 1));
  return reshape(slice(stopGradient(x), starts, ends), [x.shape[1]]);
}

/** The branch of an If whose condition is known while tracing. */
function branch(
  step: Step,
  [condition]: readonly (Value | null)[],
  scope: Scope,
  options: TraceOptions,
): readonly Value[] {
  const yes = step.bodies.get('then_branch');
  const no = step.bodies.get('else_branch');
  if (!yes || !no || !condition) throw new FormatError(`If needs a condition and two branches`);
  if (!condition.constant)
    throw new UnsupportedError(
      `the condition of If is computed from data, which a traced program cannot follow. If it follows from an input that always has the same value, such as a sampling rate, give that once: OnnxModel.load(path, { fixed: { name: value } }). Else export the model by tracing instead of scripting, or without the data-dependent branch`,
    );
  return traceBody(condition.constant[0] ? yes : no, new Scope(scope), options);
}
