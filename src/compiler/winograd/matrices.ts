/** @file The matrices of Winograd's minimal filtering F(2 x 2, 3 x 3) and F(4 x 4, 3 x 3): Winograd 1980; Lavin and Gray 2016. */
import { constant, type Value } from '../../ir/graph.ts';
import type { Shape } from '../../ir/shape.ts';

export type Matrix = readonly (readonly number[])[];

export interface Matrices {
  /** Input, filter and output transforms. */
  readonly b: Matrix;
  readonly g: Matrix;
  readonly a: Matrix;
}

/**
 * F(m x m, 3 x 3) by Toom and Cook's interpolation: polynomials of the filter and of the output are evaluated at the
 * `points` and at infinity, and the input is their interpolation transposed.
 */
function interpolation(points: readonly number[], m: number): Matrices {
  const others = (p: number) => points.filter((q) => q !== p);
  const powers = (p: number, n: number) => Array.from({ length: n }, (_, i) => p ** i);
  const at = (k: number, n: number) => Array.from({ length: n }, (_, i) => Number(i === k));
  return {
    b: [...points.map((p) => [...coefficients(others(p)), 0]), coefficients(points)],
    g: [...points.map((p) => powers(p, 3).map((x) => x / others(p).reduce((f, q) => f * (p - q), 1))), at(2, 3)],
    a: at(0, m).map((_, i) => [...points.map((p) => p ** i), Number(i === m - 1)]),
  };
}

/** The coefficients of the polynomial with these roots, the constant one first. */
function coefficients(roots: readonly number[]): number[] {
  const times = (c: readonly number[], root: number) => [0, ...c].map((x, i) => x - root * (c[i] ?? 0));
  return roots.reduce(times, [1]);
}

export const f2 = interpolation([0, 1, -1], 2);
/** With the usual points 0, 1, -1, 2, -2 the largest error is four times as large (256 channels, float32). */
export const f4 = interpolation([0, 0.75, -0.75, 1.5, -1.5], 4);

/** Row (i, j) of the result is the outer product of rows i and j: a two-dimensional transform as one matrix. */
export function outer(m: Matrix): number[][] {
  return m.flatMap((p) => m.map((q) => p.flatMap((x) => q.map((y) => x * y))));
}

export const matrix = (rows: Matrix, shape: Shape = [rows.length, rows[0].length]): Value =>
  constant(Float32Array.from(rows.flat()), 'float32', shape);

/** A 3 x 3 convolution with padding 1 in the transformed domain; activations are [channels, batch, height, width]. */
export interface Winograd {
  /** x [C, N, H, W] by weight [O, C, 3, 3]: [O, N, H, W]. */
  forward(x: Value, weight: Value): Value;
  /** Gradient by the input: dy [O, N, H, W] to [C, N, H, W]. */
  inputGradient(dy: Value, weight: Value): Value;
  /** Gradient by the weights: x [C, N, H, W] and dy [O, N, H, W] to [O, C, 3, 3]. */
  weightGradient(x: Value, dy: Value): Value;
}
