/** @file One graph for all sizes: traces at several sizes are laid over each other, and what differs is computed. */

import { dtypes, isFloat, type NumericArray } from '../../ir/dtype.ts';
import { UnsupportedError } from '../../ir/errors.ts';
import { type Attrs, constant, Node, type OpDefinition, type TensorType, Value } from '../../ir/graph.ts';
import { formatShape } from '../../ir/shape.ts';
import * as ops from '../../ops/index.ts';
import { type Axis, type Candidate, type Expression, Solver } from './expression.ts';
import { findPattern, type Pattern } from './pattern.ts';
import { type Recording, site } from './record.ts';

/** A graph whose shapes are those of the base trace, but which holds for all sizes. */
export interface DynamicGraph {
  readonly inputs: readonly Value[];
  readonly outputs: readonly {
    readonly name: string;
    readonly value: Value;
    readonly dims: readonly (Expression | null)[];
  }[];
}

/** Makes a node as it is: nothing is folded, since constants of the base trace stand for other numbers elsewhere. */
function raw(op: OpDefinition, inputs: readonly (Value | null)[], attrs: Attrs, ...types: TensorType[]): Value[] {
  const node = new Node(op, inputs, attrs, undefined);
  node.outputs = types.map((type, i) => Value.output(type, node, i, false));
  return [...node.outputs];
}

const int64 = (...shape: number[]): TensorType => ({ dtype: 'int64', shape });

/**
 * @param recordings traces of the same model: the base, then those of other sizes, as `chooseSizes` orders them.
 * @param axes the named axes with their sizes in each trace; `of` are inputs of the base trace.
 * @throws UnsupportedError naming the operator and the user's line where the traces differ in structure, or a constant
 *   follows from the sizes in a way that cannot be written down.
 */
export function mergeRecordings(recordings: readonly Recording[], axes: readonly Axis[]): DynamicGraph {
  return new Merger(recordings, axes).run();
}

class Merger {
  readonly #recordings: readonly Recording[];
  readonly #solver: Solver;
  /** What a value of the base trace became. */
  readonly #built = new Map<Value, Value>();
  /** For each value of the base trace, its counterparts in all traces. */
  readonly #twins = new Map<Value, readonly Value[]>();
  /** What became of constants that several nodes read. */
  readonly #made = new Map<Value, Value>();
  /** Numbers that are computed already. */
  readonly #sizes = new Map<string, Value>();
  readonly #axes: readonly Axis[];

  constructor(recordings: readonly Recording[], axes: readonly Axis[]) {
    this.#recordings = recordings;
    this.#axes = axes;
    this.#solver = new Solver(axes);
  }

  run(): DynamicGraph {
    const [base] = this.#recordings;
    base.inputs.forEach((v, i) => {
      this.#pair(
        v,
        this.#recordings.map((r) => r.inputs[i]),
      );
    });
    this.#checkLengths();
    base.nodes.forEach((node, i) => {
      this.#rebuild(
        node,
        this.#recordings.map((r) => r.nodes[i]),
      );
    });
    const outputs = base.outputs.map(({ name, value }, i) => {
      const twins = this.#recordings.map((r) => r.outputs[i]?.value ?? value);
      const built = this.#operand(value, twins, null);
      const dims = value.shape.map(
        (_, d) =>
          this.#solve(
            twins.map((v) => v.shape[d]),
            [],
          ) ?? null,
      );
      return { name, value: built, dims };
    });
    return { inputs: base.inputs, outputs };
  }

  #pair(value: Value, twins: readonly Value[]): void {
    this.#twins.set(value, twins);
  }

  #checkLengths(): void {
    const [base, ...others] = this.#recordings;
    for (const other of others) {
      const n = Math.min(base.nodes.length, other.nodes.length);
      for (let i = 0; i < n; i++)
        if (base.nodes[i].op !== other.nodes[i].op) throw this.#different(base.nodes[i], other.nodes[i]);
      if (base.nodes.length !== other.nodes.length) throw this.#different(base.nodes[n] ?? other.nodes[n], undefined);
    }
  }

  #different(a: Node, b: Node | undefined): UnsupportedError {
    const found = b ? `${a}${site(a)} at one size and ${b}${site(b)} at another` : `${a}${site(a)} at some sizes only`;
    return new UnsupportedError(
      `the model computes differently at different sizes of its dynamic axes: ${found}. Make the forward pass the same for all sizes, or export with fixed axes`,
    );
  }

  #rebuild(node: Node, twins: readonly Node[]): void {
    if (this.#globalPool(node, twins)) return;
    for (const twin of twins)
      if (twin.attrsKey !== node.attrsKey || twin.inputs.length !== node.inputs.length)
        throw new UnsupportedError(
          `the attributes of ${node.op.type}${site(node)} depend on the sizes of dynamic axes (${node.attrsKey} and ${twin.attrsKey}), which ONNX cannot express. Use another formulation (a global or adaptive pool to size 1, a shape-independent kernel), or export with fixed axes`,
        );
    const inputs = node.inputs.map((v, k) => {
      if (!v) return null;
      const others = twins.map((twin) => twin.inputs[k] ?? v);
      return node.op.type === 'Reshape' && k === 1
        ? this.#target(node, twins, v, others)
        : this.#operand(v, others, node);
    });
    const same = inputs.every((v, k) => v === node.inputs[k]);
    // In a target of our own, 0 copies a size.
    const attrs = node.op.type === 'Reshape' && !same ? { ...node.attrs, allowzero: undefined } : node.attrs;
    const outputs = same ? node.outputs : raw(node.op, inputs, attrs, ...node.outputs);
    node.outputs.forEach((v, k) => {
      this.#built.set(v, outputs[k]);
      this.#pair(
        v,
        twins.map((twin) => twin.outputs[k]),
      );
    });
  }

  /** A pool whose window is the whole image at every size is a global one. */
  #globalPool(node: Node, twins: readonly Node[]): boolean {
    const globals: Record<string, OpDefinition> = {
      MaxPool: ops.globalMaxPool.definition,
      AveragePool: ops.globalAveragePool.definition,
    };
    const op = globals[node.op.type];
    const [x] = node.inputs;
    if (!op || !x || twins.every((twin) => twin.attrsKey === node.attrsKey)) return false;
    const isWhole = twins.every(({ attrs, inputs: [image], outputs }) => {
      const { kernel_shape: kernel } = attrs;
      const pads = Array.isArray(attrs.pads) ? attrs.pads : [];
      const spatial = image?.shape.slice(2) ?? [];
      const fits =
        Array.isArray(kernel) && kernel.length === spatial.length && kernel.every((k, i) => k === spatial[i]);
      return fits && pads.every((p) => p === 0) && outputs[0].shape.slice(2).every((n) => n === 1);
    });
    const indices = node.outputs[1];
    if (!isWhole || (indices && this.#recordings[0].nodes.some((n) => n.inputs.includes(indices)))) return false;
    const image = this.#operand(
      x,
      twins.map((twin) => twin.inputs[0] ?? x),
      node,
    );
    this.#built.set(node.outputs[0], raw(op, [image], {}, node.outputs[0])[0]);
    this.#pair(
      node.outputs[0],
      twins.map((twin) => twin.outputs[0]),
    );
    return true;
  }

  /** What stands for an operand at all sizes. */
  #operand(value: Value, twins: readonly Value[], reader: Node | null): Value {
    const [base] = this.#recordings;
    const known = this.#twins.get(value);
    if (known) {
      if (known.some((v, t) => v !== twins[t])) throw this.#mismatch(value, reader);
      return this.#built.get(value) ?? value;
    }
    const name = base.stateName(value);
    if (name !== undefined) {
      if (twins.some((v, t) => this.#recordings[t].stateName(v) !== name)) throw this.#mismatch(value, reader);
      return value;
    }
    const elements = twins.map((v, t) => this.#recordings[t].elements(v));
    const data = elements.flatMap((e) => (e ? [e] : []));
    if (data.length !== twins.length) throw this.#mismatch(value, reader);
    let made = this.#made.get(value);
    if (!made) {
      made = this.#constant(value, twins, data, reader);
      this.#made.set(value, made);
    }
    return made;
  }

  #mismatch(value: Value, reader: Node | null): UnsupportedError {
    const where = reader ? `an operand of ${reader}${site(reader)}` : 'an output';
    return new UnsupportedError(
      `${where} (${value}) comes from different places at different sizes of the dynamic axes. Make the forward pass the same for all sizes, or export with fixed axes`,
    );
  }

  #constant(value: Value, twins: readonly Value[], data: readonly NumericArray[], reader: Node | null): Value {
    const shapes = twins.map((v) => v.shape);
    const sameShapes = shapes.every((s) => formatShape(s) === formatShape(value.shape));
    if (sameShapes && data.every((d) => sameElements(d, data[0])))
      return value.constant ? value : constant(data[0], value.dtype, value.shape);
    if (sameShapes && value.rank <= 1 && value.size <= 64 && (value.dtype === 'int64' || value.dtype === 'int32')) {
      const parts = this.#numbers(data, this.#candidates(reader));
      if (parts) return this.#vector(parts, value);
    }
    if (sameShapes && value.size === 1 && isFloat(value.dtype)) {
      const scalar = this.#scalar(
        data.map((d) => d[0]),
        value,
      );
      if (scalar) return scalar;
    }
    const samples = twins.map((v, t) => ({ shape: v.shape, data: data[t] }));
    const pattern = value.rank ? findPattern(value.dtype, samples) : undefined;
    const dims = pattern && this.#dims(shapes, reader);
    const made = pattern && dims && this.#patterned(value, pattern, dims, reader);
    if (made) return made;
    throw this.#inexpressible(value, data, reader);
  }

  #inexpressible(value: Value, data: readonly NumericArray[], reader: Node | null): UnsupportedError {
    const samples = [
      ...new Set(data.map((d) => `[${Array.from(d.slice(0, 8)).join(', ')}${d.length > 8 ? ', ...' : ''}]`)),
    ];
    const names = this.#axes.map((a) => `'${a.name}'`).join(', ');
    const where = reader ? ` of ${reader.op.type}${site(reader)}` : '';
    return new UnsupportedError(
      `a constant operand${where} (${value}) changes with the size of the dynamic axes ${names} in a way that cannot be written as a formula: ${samples.slice(0, 3).join(', ')}. Compute it from the tensors themselves (shapes, arange, masks) instead of reading a table of this size, or export with fixed axes`,
    );
  }

  #solve(values: readonly number[], candidates: readonly Candidate[]): Expression | undefined {
    return this.#solver.solve(values, candidates);
  }

  #numbers(data: readonly NumericArray[], candidates: readonly Candidate[]): Expression[] | undefined {
    const parts: Expression[] = [];
    for (let j = 0; j < data[0].length; j++) {
      const e = this.#solve(
        data.map((d) => d[j]),
        candidates,
      );
      if (!e) return undefined;
      parts.push(e);
    }
    return parts;
  }

  #dims(shapes: readonly (readonly number[])[], reader: Node | null): Expression[] | undefined {
    if (shapes.some((s) => s.length !== shapes[0].length)) return undefined;
    return this.#numbers(
      shapes.map((s) => Float64Array.from(s)),
      this.#candidates(reader),
    );
  }

  /** Sizes of the operands of a node that are computed; those of the first come first. */
  #candidates(reader: Node | null): Candidate[] {
    const found: Candidate[] = [];
    for (const v of reader?.inputs ?? []) {
      const twins = v && this.#twins.get(v);
      if (v && twins)
        v.shape.forEach((_, axis) => {
          found.push({ of: v, axis, sizes: twins.map((twin) => twin.shape[axis]) });
        });
    }
    return found;
  }

  /** The target of a Reshape: 0 copies a size, -1 infers one, so that most need no computation. */
  #target(node: Node, twins: readonly Node[], value: Value, targets: readonly Value[]): Value {
    const x = node.inputs[0];
    const from = x && this.#twins.get(x);
    // What the target comes to: it may itself hold 0 and -1.
    const values = twins.map((twin) => twin.outputs[0].shape);
    if (!from || values[0].includes(0)) return this.#operand(value, targets, node);
    const varies = (j: number) => values.some((v) => v[j] !== values[0][j]);
    const open = values[0].flatMap((_, j) => (varies(j) ? [j] : []));
    if (!open.length) return this.#operand(value, targets, node);
    const copies = (j: number) => j < from[0].rank && values.every((v, t) => v[j] === from[t].shape[j]);
    // Prefer -1 for what is not a plain copy; with one open dimension, -1 for it.
    const inferred = open.length === 1 ? open[0] : (open.find((j) => !copies(j)) ?? open[open.length - 1]);
    const rest = open.filter((j) => j !== inferred);
    if (rest.every(copies)) {
      const target = values[0].map((n, j) => (j === inferred ? -1 : rest.includes(j) ? 0 : n));
      return constant(target, 'int64');
    }
    return this.#operand(value, targets, node);
  }

  /** A number as an int64 tensor of one element. */
  #emit(e: Expression): Value {
    if (e.kind === 'constant') return constant([e.value], 'int64');
    if (e.kind === 'size') {
      const key = `${e.of.id}.${e.axis}`;
      let value = this.#sizes.get(key);
      if (!value) {
        const of = this.#built.get(e.of) ?? e.of;
        [value] = raw(ops.shapeOp.definition, [of], { start: e.axis, end: e.axis + 1 }, int64(1));
        this.#sizes.set(key, value);
      }
      return value;
    }
    const op = { add: ops.add, mul: ops.mul, div: ops.div }[e.kind];
    const [a, b] = [this.#emit(e.a), this.#emit(e.b)];
    const key = `${e.kind} ${operandKey(a)} ${operandKey(b)}`;
    let value = this.#sizes.get(key);
    if (!value) {
      [value] = raw(op.definition, [a, b], {}, int64(1));
      this.#sizes.set(key, value);
    }
    return value;
  }

  /** Numbers as a vector (or scalar) of the dtype and rank of `like`. */
  #vector(parts: readonly Expression[], like: { dtype: Value['dtype']; rank: number }): Value {
    const pieces: Value[] = [];
    let run: number[] = [];
    const flush = () => {
      if (run.length) pieces.push(constant(run, 'int64'));
      run = [];
    };
    for (const e of parts) {
      if (e.kind === 'constant') run.push(e.value);
      else {
        flush();
        pieces.push(this.#emit(e));
      }
    }
    flush();
    let [value] = pieces;
    if (pieces.length > 1) [value] = raw(ops.concat.definition, pieces, { axis: 0 }, int64(parts.length));
    if (like.rank === 0) [value] = raw(ops.reshapeOp.definition, [value, constant([], 'int64')], {}, int64());
    return this.#cast(value, like.dtype);
  }

  #cast(value: Value, dtype: Value['dtype']): Value {
    if (value.dtype === dtype) return value;
    return raw(ops.cast.definition, [value], { to: dtype }, { dtype, shape: value.shape })[0];
  }

  /** A float that is linear in sizes or their product, or one over that, or a square root of these (1 / n, sqrt(n), ...). */
  #scalar(values: readonly number[], like: Value): Value | undefined {
    const forms: [undo: (v: number) => number, redo: (v: Value) => Value][] = [
      [(v) => v, (v) => v],
      [(v) => 1 / v, (v) => this.#unary(ops.reciprocal.definition, v)],
      [(v) => v * v, (v) => this.#unary(ops.sqrt.definition, v)],
      [(v) => 1 / (v * v), (v) => this.#unary(ops.reciprocal.definition, this.#unary(ops.sqrt.definition, v))],
    ];
    for (const [undo, redo] of forms) {
      const linear = this.#linear(values.map(undo), like.dtype);
      if (!linear) continue;
      const negative = values[0] < 0 && undo(values[0]) > 0;
      let result = redo(linear);
      if (negative) result = this.#unary(ops.neg.definition, result);
      return like.rank === 1
        ? result
        : raw(ops.reshapeOp.definition, [result, constant([...like.shape], 'int64')], {}, like)[0];
    }
    return undefined;
  }

  #unary(op: OpDefinition, v: Value): Value {
    return raw(op, [v], {}, v)[0];
  }

  /** factor * (product of axes) + offset with real numbers, in the dtype. */
  #linear(values: readonly number[], dtype: Value['dtype']): Value | undefined {
    const axes = this.#solver.dependsOn(values);
    if (!axes.length) return undefined;
    const product = values.map((_, t) => axes.reduce((n, axis) => n * axis.sizes[t], 1));
    const factor =
      (values[1 + 2 * this.#axes.indexOf(axes[0])] - values[0]) /
      (product[1 + 2 * this.#axes.indexOf(axes[0])] - product[0]);
    const offset = values[0] - factor * product[0];
    const scale = Math.max(...values.map(Math.abs));
    const tolerance = dtypes[dtype].bytes < 4 ? 1e-2 : 1e-5;
    if (values.some((v, t) => Math.abs(factor * product[t] + offset - v) > tolerance * scale)) return undefined;
    const sizes = axes.map((axis) => this.#emit({ kind: 'size', of: axis.of, axis: axis.axis, name: axis.name }));
    const whole = sizes.reduce((a, b) => raw(ops.mul.definition, [a, b], {}, int64(1))[0]);
    let result = this.#cast(whole, dtype);
    const type = { dtype, shape: [1] };
    if (Math.abs(factor - 1) > 1e-9) [result] = raw(ops.mul.definition, [result, constant([factor], dtype)], {}, type);
    if (Math.abs(offset) > tolerance * scale)
      [result] = raw(ops.add.definition, [result, constant([offset], dtype)], {}, type);
    return result;
  }

  /** A tensor whose elements follow from their positions; undefined where a rule's own numbers follow from no formula. */
  #patterned(like: Value, pattern: Pattern, dims: readonly Expression[], reader: Node | null): Value | undefined {
    const { dtype } = like;
    const shape = this.#vector(dims, { dtype: 'int64', rank: 1 });
    const expanded = (v: Value) =>
      raw(ops.expandOp.definition, [v, shape], {}, { dtype: v.dtype, shape: like.shape })[0];
    if (pattern.kind === 'fill') return expanded(constant(pattern.value, dtype));
    /** start, start + 1, ... along an axis, with as many axes of size 1 after it as the tensor has. */
    const positions = (axis: number, start: number): Value => {
      const limit = this.#addInt(this.#scalarOf(dims[axis]), start);
      const one = constant(1, 'int64');
      const [range] = raw(ops.range.definition, [constant(start, 'int64'), limit, one], {}, int64(like.shape[axis]));
      const behind = like.rank - 1 - axis;
      if (!behind) return range;
      const column = [-1, ...new Array<number>(behind).fill(1)];
      return raw(
        ops.reshapeOp.definition,
        [range, constant(column, 'int64')],
        {},
        int64(like.shape[axis], ...column.slice(1)),
      )[0];
    };
    if (pattern.kind === 'grid') {
      const solve = (values: readonly number[]) => this.#solve(values, this.#candidates(reader));
      const start = solve(pattern.starts);
      const terms: Value[] = [];
      for (const axis of like.shape.keys()) {
        const steps = pattern.steps.map((s) => s[axis]);
        const step = solve(steps);
        if (!step || !start) return undefined;
        if (steps.some((n) => n !== 0)) terms.push(this.#mulExpression(positions(axis, 0), step));
      }
      if (!terms.length || !start) return undefined;
      const sum = terms.reduce((a, b) => raw(ops.add.definition, [a, b], {}, int64(...like.shape))[0]);
      const isZero = start.kind === 'constant' && start.value === 0;
      const [moved] = isZero ? [sum] : raw(ops.add.definition, [sum, this.#scalarOf(start)], {}, sum);
      return expanded(this.#cast(moved, dtype));
    }
    const rows = positions(like.rank - 2, pattern.offset);
    const columns = positions(like.rank - 1, 0);
    const compare = pattern.kind === 'triangle' ? ops.lessOrEqual : ops.equal;
    const square = like.shape.slice(-2);
    const [mask] = raw(compare.definition, [columns, rows], {}, { dtype: 'bool', shape: square });
    const values = [constant(pattern.inside, dtype), constant(pattern.outside, dtype)];
    const isMask = dtype === 'bool' && pattern.inside === 1 && pattern.outside === 0;
    const [chosen] = isMask ? [mask] : raw(ops.where.definition, [mask, ...values], {}, { dtype, shape: square });
    return like.rank === 2 ? chosen : expanded(chosen);
  }

  #scalarOf(e: Expression): Value {
    if (e.kind === 'constant') return constant(e.value, 'int64');
    const value = this.#emit(e);
    return raw(ops.reshapeOp.definition, [value, constant([], 'int64')], {}, int64())[0];
  }

  #mulExpression(v: Value, by: Expression): Value {
    if (by.kind === 'constant' && by.value === 1) return v;
    return raw(ops.mul.definition, [v, this.#scalarOf(by)], {}, v)[0];
  }

  #addInt(v: Value, by: number): Value {
    return by === 0 ? v : raw(ops.add.definition, [v, constant(by, 'int64')], {}, int64())[0];
  }
}

const operandKey = (v: Value) => (v.constant ? `=${v.constant[0]}` : v.id);

function sameElements(a: NumericArray, b: NumericArray): boolean {
  return a.length === b.length && a.every((v, i) => Object.is(v, b[i]));
}
