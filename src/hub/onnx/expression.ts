/** @file Integers that depend on named axes, found from their values at several sizes. */
import type { Value } from '../../ir/graph.ts';

/** A whole number computed from sizes of tensors. */
export type Expression =
  | { readonly kind: 'constant'; readonly value: number }
  /** Size of dimension `axis` of a value of the graph. */
  | { readonly kind: 'size'; readonly of: Value; readonly axis: number; readonly name?: string }
  | { readonly kind: 'add' | 'mul' | 'div'; readonly a: Expression; readonly b: Expression };

/** A named axis, where its size can be read, and its sizes in all traces. */
export interface Axis {
  readonly name: string;
  readonly of: Value;
  readonly axis: number;
  readonly sizes: readonly number[];
}

/** Sizes of a dimension of some value in all traces. */
export interface Candidate {
  readonly of: Value;
  readonly axis: number;
  readonly sizes: readonly number[];
}

const constant = (value: number): Expression => ({ kind: 'constant', value });

/** The expression's text, such as `2*batch*sequence`; '' where it has no short one. */
export function describe(e: Expression): string {
  switch (e.kind) {
    case 'constant':
      return String(e.value);
    case 'size':
      return e.name ?? '';
    default: {
      const [a, b] = [describe(e.a), describe(e.b)];
      if (!a || !b) return '';
      if (e.kind === 'add') return e.b.kind === 'constant' && e.b.value < 0 ? `${a}${b}` : `${a}+${b}`;
      // Sums would need brackets: such a size is left unnamed.
      if (/[+-]/.test(a) || /[+-]/.test(b)) return '';
      if (e.kind === 'div') return `${a}//${b}`;
      return e.b.kind === 'constant' ? `${b}*${a}` : `${a}*${b}`;
    }
  }
}

function sum(a: Expression, by: number): Expression {
  return by === 0 ? a : { kind: 'add', a, b: constant(by) };
}

function times(by: number, a: Expression): Expression {
  return by === 1 ? a : { kind: 'mul', a, b: constant(by) };
}

const equalAll = (values: readonly number[], at: (t: number) => number) => values.every((v, t) => v === at(t));

/** Everything that expressions may be made of. */
export class Solver {
  readonly #axes: readonly Axis[];

  constructor(axes: readonly Axis[]) {
    this.#axes = axes;
  }

  /**
   * An expression with the given values in all traces, or undefined.
   * @param candidates sizes of values that are there when the number is needed, the preferred ones first.
   */
  solve(values: readonly number[], candidates: readonly Candidate[]): Expression | undefined {
    if (equalAll(values, () => values[0])) return constant(values[0]);
    return (
      this.#affine(values) ??
      this.#product(values) ??
      fromCandidates(values, candidates) ??
      this.#quotient(values, candidates)
    );
  }

  /** The axes on which the values depend: those that change them when they alone change (trace 2k+1, see sizes.ts). */
  dependsOn(values: readonly number[]): Axis[] {
    return this.#axes.filter((_, k) => values[2 * k + 1] !== values[0] || values[2 * k + 2] !== values[0]);
  }

  /** How the values follow from changes of one axis: the slope, or NaN where it is not constant. */
  slope(axis: Axis, values: readonly number[]): number {
    const k = this.#axes.indexOf(axis);
    const rise = (t: number) => (values[t] - values[0]) / (axis.sizes[t] - axis.sizes[0]);
    const [a, b] = [rise(2 * k + 1), rise(2 * k + 2)];
    return Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), 1) ? a : Number.NaN;
  }

  /** offset + sum of slope * axis. */
  #affine(values: readonly number[]): Expression | undefined {
    const terms = this.dependsOn(values).map((axis) => ({ axis, by: this.slope(axis, values) }));
    if (terms.some(({ by }) => !Number.isInteger(by) || by === 0)) return undefined;
    const at = (t: number) => terms.reduce((n, { axis, by }) => n + by * axis.sizes[t], 0);
    const offset = values[0] - at(0);
    if (!equalAll(values, (t) => at(t) + offset)) return undefined;
    const parts = terms.map(({ axis, by }) => times(by, sizeOfAxis(axis)));
    return sum(
      parts.reduce((a, b) => ({ kind: 'add', a, b })),
      offset,
    );
  }

  /** What is left of a size when a named axis is divided out: steps, of rows that are steps * batch. */
  #quotient(values: readonly number[], candidates: readonly Candidate[]): Expression | undefined {
    for (const axis of this.#axes)
      for (const { of, axis: dimension, sizes } of candidates)
        if (equalAll(values, (t) => sizes[t] / axis.sizes[t]))
          return { kind: 'div', a: { kind: 'size', of, axis: dimension }, b: sizeOfAxis(axis) };
    return undefined;
  }

  /** factor * product of (axis + offset). */
  #product(values: readonly number[]): Expression | undefined {
    const factors: { axis: Axis; offset: number }[] = [];
    for (const axis of this.dependsOn(values)) {
      const slope = this.slope(axis, values);
      const offset = values[0] / slope - axis.sizes[0];
      if (!Number.isInteger(offset)) return undefined;
      factors.push({ axis, offset });
    }
    const at = (t: number) => factors.reduce((n, { axis, offset }) => n * (axis.sizes[t] + offset), 1);
    const factor = values[0] / at(0);
    if (!Number.isInteger(factor) || !equalAll(values, (t) => factor * at(t))) return undefined;
    const parts = factors.map(({ axis, offset }) => sum(sizeOfAxis(axis), offset));
    return times(
      factor,
      parts.reduce((a, b) => ({ kind: 'mul', a, b })),
    );
  }
}

export function sizeOfAxis({ of, axis, name }: Axis): Expression {
  return { kind: 'size', of, axis, name };
}

/** A size of some value, a product of neighbouring ones, or one of these times, over or plus a number. */
function fromCandidates(values: readonly number[], candidates: readonly Candidate[]): Expression | undefined {
  for (const c of candidates) if (equalAll(values, (t) => c.sizes[t])) return { kind: 'size', of: c.of, axis: c.axis };
  for (let i = 0; i < candidates.length; i++) {
    let expression: Expression = { kind: 'size', of: candidates[i].of, axis: candidates[i].axis };
    let sizes = candidates[i].sizes;
    for (let j = i; j < candidates.length && candidates[j].of === candidates[i].of; j++) {
      if (j > i) {
        sizes = sizes.map((n, t) => n * candidates[j].sizes[t]);
        expression = {
          kind: 'mul',
          a: expression,
          b: { kind: 'size', of: candidates[j].of, axis: candidates[j].axis },
        };
      }
      const ratio = values[0] / sizes[0];
      if (equalAll(values, (t) => ratio * sizes[t])) {
        if (Number.isInteger(ratio)) return times(ratio, expression);
        if (Number.isInteger(1 / ratio)) return { kind: 'div', a: expression, b: constant(1 / ratio) };
      }
      const offset = values[0] - sizes[0];
      if (equalAll(values, (t) => sizes[t] + offset)) return sum(expression, offset);
    }
  }
  return undefined;
}
