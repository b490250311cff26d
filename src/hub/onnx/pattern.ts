/** @file Tables made while tracing that follow a rule: fills, counting, triangles, diagonals. */
import type { DType, NumericArray } from '../../ir/dtype.ts';
import { type Shape, sizeOf, stridesOf } from '../../ir/shape.ts';

/** How elements follow from their positions, at every size. */
export type Pattern =
  | { readonly kind: 'fill'; readonly value: number }
  /** start + sum of step * position along each axis: for every sample its start and steps, which may follow from sizes. */
  | { readonly kind: 'grid'; readonly starts: readonly number[]; readonly steps: readonly (readonly number[])[] }
  /** In the last two axes: `inside` where column <= row + offset (triangle) or column = row + offset (diagonal). */
  | {
      readonly kind: 'triangle' | 'diagonal';
      readonly offset: number;
      readonly inside: number;
      readonly outside: number;
    };

type Band = Extract<Pattern, { kind: 'triangle' | 'diagonal' }>;

interface Sample {
  readonly shape: Shape;
  readonly data: NumericArray;
}

/** The rule that all samples follow, or undefined. 16-bit floats are kept as raw bits and only compared. */
export function findPattern(dtype: DType, samples: readonly Sample[]): Pattern | undefined {
  const [first] = samples;
  if (samples.some((s) => s.shape.length !== first.shape.length || !s.data.length)) return undefined;
  const isRaw = dtype === 'float16' || dtype === 'bfloat16';
  const proposals = [fill(first), ...(isRaw ? [] : bands(first))];
  return proposals.find((p) => samples.every((s) => follows(s, p))) ?? (isRaw ? undefined : grid(samples));
}

function fill({ data }: Sample): Exclude<Pattern, { kind: 'grid' } | Band> {
  return { kind: 'fill', value: data[0] };
}

function grid(samples: readonly Sample[]): Pattern | undefined {
  const starts = samples.map(({ data }) => data[0]);
  const steps = samples.map(({ shape, data }) => {
    const strides = stridesOf(shape);
    return shape.map((size, axis) => (size > 1 ? data[strides[axis]] - data[0] : 0));
  });
  if (![...starts, ...steps.flat()].every(Number.isInteger)) return undefined;
  const isGrid = samples.every(({ shape, data }, t) => {
    const strides = stridesOf(shape);
    return data.every((v, i) => {
      const expected = shape.reduce((n, size, axis) => n + steps[t][axis] * (Math.floor(i / strides[axis]) % size), 0);
      return v === starts[t] + expected;
    });
  });
  return isGrid ? { kind: 'grid', starts, steps } : undefined;
}

/** What the first rows say about a triangle or a diagonal. */
function bands({ shape, data }: Sample): Band[] {
  if (shape.length < 2) return [];
  const [rows, columns] = shape.slice(-2);
  const at = (i: number, j: number) => data[i * columns + j];
  const found: Band[] = [];
  for (let i = 0; i < rows; i++)
    for (let j = 0; j + 1 < columns; j++) {
      if (Object.is(at(i, j), at(i, j + 1))) continue;
      found.push({ kind: 'triangle', offset: j - i, inside: at(i, j), outside: at(i, j + 1) });
      found.push({ kind: 'diagonal', offset: j - i, inside: at(i, j), outside: at(i, j + 1) });
      found.push({ kind: 'diagonal', offset: j + 1 - i, inside: at(i, j + 1), outside: at(i, j) });
      return found;
    }
  return found;
}

function follows({ shape, data }: Sample, pattern: Exclude<Pattern, { kind: 'grid' }>): boolean {
  if (pattern.kind === 'fill') return data.every((v) => Object.is(v, pattern.value));
  const [rows, columns] = shape.slice(-2);
  const { kind, offset, inside, outside } = pattern;
  for (let n = 0; n < sizeOf(shape); n++) {
    const j = n % columns;
    const i = Math.floor(n / columns) % rows;
    const isInside = kind === 'triangle' ? j <= i + offset : j === i + offset;
    if (!Object.is(data[n], isInside ? inside : outside)) return false;
  }
  return true;
}
