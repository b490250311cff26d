/** @file Finds the assignments that are elementwise over one storage and turns them into loop kernels (DESIGN: optimisers are formulas). */
import type { Node, Value } from '../ir/graph.ts';
import { sameShape } from '../ir/shape.ts';
import type { BinaryLoopOp, LoopInstruction, LoopKernel, UnaryLoopOp } from './loops/kernel.ts';

export interface AssignmentGraph {
  /** The leaf that reads the storage to be overwritten. */
  readonly target: Value;
  readonly value: Value;
}

/** A kernel with its operands: leaves (read, or read and written, in place) and values that the graph computes. */
export interface FusedLoop {
  readonly kernel: LoopKernel;
  readonly arrays: readonly Value[];
  readonly scalars: readonly Value[];
  /** Array index written -> assignment index. */
  readonly writes: readonly { array: number; assignment: number }[];
  readonly size: number;
}

const unary: Readonly<Record<string, UnaryLoopOp>> = {
  Neg: 'neg',
  Abs: 'abs',
  Sqrt: 'sqrt',
  Reciprocal: 'reciprocal',
  Sign: 'sign',
  Relu: 'relu',
  Floor: 'floor',
  Ceil: 'ceil',
  Round: 'round',
};
const binary: Readonly<Record<string, BinaryLoopOp>> = {
  Add: 'add',
  Sub: 'sub',
  Mul: 'mul',
  Div: 'div',
  Max: 'max',
  Min: 'min',
  Less: 'less',
  Greater: 'greater',
  LessOrEqual: 'lessOrEqual',
  GreaterOrEqual: 'greaterOrEqual',
  Equal: 'equal',
};
const masks = new Set(['And', 'Or', 'Not', 'Less', 'Greater', 'LessOrEqual', 'GreaterOrEqual', 'Equal']);
/** Operators that give back what they are given. */
const copies = new Set(['Identity', 'StopGradient']);
const maxInterior = 500;

/** Whether a node is one loop instruction, leaving aside its operands. */
function isLoopNode(node: Node): boolean {
  const { type, domain } = node.op;
  if (domain !== '') return false;
  if (type in unary || type === 'Where' || type === 'And' || type === 'Or' || type === 'Not') return true;
  if (type in binary) return node.inputs.length === 2;
  if (type === 'Cast') return node.inputs[0]?.dtype === 'bool' && node.attrs.to === 'float32';
  return type === 'Pow' && node.inputs[1]?.constant?.length === 1 && [0.5, 2].includes(node.inputs[1].constant[0]);
}

/** The part of one assignment's expression that a loop can compute. */
class Region {
  readonly interior = new Set<Node>();
  /** Same-shaped float32 operands from outside: leaves and graph values. */
  readonly loads = new Set<Value>();
  readonly #shape: readonly number[];
  readonly #resolve: (v: Value) => Value;
  readonly #stop: ReadonlySet<Value>;
  readonly #absorbable = new Map<Value, boolean>();

  constructor(root: Value, resolve: (v: Value) => Value, stop: ReadonlySet<Value>) {
    this.#shape = root.shape;
    this.#resolve = resolve;
    this.#stop = stop;
    this.#visit(root);
  }

  #visit(raw: Value): void {
    const value = this.#resolve(raw);
    if (isScalar(value)) return;
    const { node } = value;
    if (node && this.absorbs(value)) {
      if (this.interior.has(node)) return;
      this.interior.add(node);
      for (const input of node.inputs) if (input) this.#visit(input);
    } else this.loads.add(value);
  }

  /** Whether the loop computes this (resolved) value itself. */
  absorbs(value: Value): boolean {
    const known = this.#absorbable.get(value);
    if (known !== undefined) return known;
    const result = this.#decide(value);
    this.#absorbable.set(value, result);
    return result;
  }

  #decide(value: Value): boolean {
    const { node } = value;
    if (!node || this.#stop.has(value) || !sameShape(value.shape, this.#shape) || !isLoopNode(node)) return false;
    if (value.dtype === 'bool' ? !masks.has(node.op.type) : value.dtype !== 'float32') return false;
    return node.inputs.every((raw, i) => {
      if (!raw || (node.op.type === 'Pow' && i === 1)) return true;
      const input = this.#resolve(raw);
      if (input.dtype === 'bool') return isScalar(input) || this.absorbs(input);
      return input.dtype === 'float32' && (isScalar(input) || sameShape(input.shape, this.#shape));
    });
  }
}

/**
 * Looks through nodes that only pass a value on, so that an assignment which reads another assigned tensor (a moving average
 * of a parameter after its update) is computed in the same loop.
 */
function throughCopies(resolve: (v: Value) => Value, wanted: ReadonlySet<Value>): (v: Value) => Value {
  return (v) => {
    let value = resolve(v);
    while (value.node && copies.has(value.node.op.type) && !wanted.has(value)) {
      const [source] = value.node.inputs;
      if (!source) break;
      value = resolve(source);
    }
    return value;
  };
}

function isScalar(value: Value): boolean {
  return value.size === 1;
}

/**
 * Groups assignments that must run in one loop: those that share computation, or where one reads what another overwrites.
 * @param wanted values that the graph must deliver anyway; a loop reads them instead of computing them again.
 */
export function fuseAssignments(
  assignments: readonly AssignmentGraph[],
  wanted: ReadonlySet<Value>,
  resolveValue: (v: Value) => Value,
): { loops: FusedLoop[]; rest: number[] } {
  const resolve = throughCopies(resolveValue, wanted);
  const regions = assignments.map(({ target, value }) => {
    const root = resolve(value);
    if (target.dtype !== 'float32' || isScalar(target) || !root.node) return null;
    const region = new Region(root, resolve, wanted);
    return region.absorbs(root) && region.interior.size <= maxInterior ? region : null;
  });
  const groups = groupRegions(assignments, regions);
  const loops: FusedLoop[] = [];
  const rest = regions.flatMap((region, i) => (region ? [] : [i]));
  for (const members of groups) {
    const loop = buildLoop(members, assignments, regions as readonly Region[], resolve);
    if (loop) loops.push(loop);
    else rest.push(...members);
  }
  return { loops, rest: rest.sort((a, b) => a - b) };
}

function groupRegions(assignments: readonly AssignmentGraph[], regions: readonly (Region | null)[]): number[][] {
  const parent = regions.map((_, i) => i);
  const find = (i: number): number => {
    while (parent[i] !== i) {
      parent[i] = parent[parent[i]];
      i = parent[i];
    }
    return i;
  };
  const owner = new Map<Node | Value, number>();
  const join = (thing: Node | Value, i: number) => {
    const other = owner.get(thing);
    if (other === undefined) owner.set(thing, i);
    else parent[find(i)] = find(other);
  };
  regions.forEach((region, i) => {
    if (region) join(assignments[i].target, i);
  });
  const targets = new Set(assignments.map((a) => a.target));
  regions.forEach((region, i) => {
    if (!region) return;
    for (const node of region.interior) join(node, i);
    for (const load of region.loads) if (targets.has(load)) join(load, i);
  });
  const groups = new Map<number, number[]>();
  regions.forEach((region, i) => {
    if (!region) return;
    const root = find(i);
    groups.set(root, [...(groups.get(root) ?? []), i]);
  });
  return [...groups.values()];
}

function buildLoop(
  members: readonly number[],
  assignments: readonly AssignmentGraph[],
  regions: readonly Region[],
  resolve: (v: Value) => Value,
): FusedLoop | null {
  const body: LoopInstruction[] = [];
  const arrays: Value[] = [];
  const scalars: Value[] = [];
  const place = new Map<Value, number>();
  const push = (instruction: LoopInstruction) => body.push(instruction) - 1;
  const operand = (list: Value[], value: Value) => {
    const at = list.indexOf(value);
    return at >= 0 ? at : list.push(value) - 1;
  };

  const build = (raw: Value, region: Region): number => {
    const value = resolve(raw);
    const known = place.get(value);
    if (known !== undefined) return known;
    const index = instruction(value, region);
    place.set(value, index);
    return index;
  };
  const instruction = (value: Value, region: Region): number => {
    if (isScalar(value)) {
      const scalar = value.constant
        ? push({ op: 'const', value: value.constant[0] })
        : push({ op: 'scalar', index: operand(scalars, value) });
      return value.dtype === 'bool' ? push({ op: 'greater', a: scalar, b: push({ op: 'const', value: 0 }) }) : scalar;
    }
    const { node } = value;
    if (!node || !region.absorbs(value)) return push({ op: 'load', array: operand(arrays, value) });
    const { type } = node.op;
    const [a, b, c] = node.inputs as readonly Value[];
    if (type in unary) return push({ op: unary[type], a: build(a, region) });
    if (type in binary) return push({ op: binary[type], a: build(a, region), b: build(b, region) });
    if (type === 'Where')
      return push({ op: 'select', mask: build(a, region), a: build(b, region), b: build(c, region) });
    if (type === 'And' || type === 'Or')
      return push({ op: type === 'And' ? 'and' : 'or', a: build(a, region), b: build(b, region) });
    if (type === 'Not') return push({ op: 'not', a: build(a, region) });
    if (type === 'Pow') return push({ op: b.constant?.[0] === 2 ? 'square' : 'sqrt', a: build(a, region) });
    const one = push({ op: 'const', value: 1 });
    const zero = push({ op: 'const', value: 0 });
    return push({ op: 'select', mask: build(a, region), a: one, b: zero });
  };

  const stores = members.map((i) => ({ i, value: build(assignments[i].value, regions[i]) }));
  const writes = stores.map(({ i }) => ({ array: operand(arrays, assignments[i].target), assignment: i }));
  if (body.length > 2 * maxInterior || arrays.length + scalars.length > 200) return null;
  return {
    kernel: {
      arrays: arrays.length,
      scalars: scalars.length,
      body,
      stores: stores.map(({ value }, k) => ({ array: writes[k].array, value })),
    },
    arrays,
    scalars,
    writes,
    size: assignments[members[0]].target.size,
  };
}
