/** @file Tables made while tracing that follow a rule: fills, counting, triangles, diagonals. */
import type { DType, NumericArray } from '../../ir/dtype.ts';
import { type Shape, sizeOf, stridesOf } from '../../ir/shape.ts';

/** How elements follow from their positions, at every size. */
export type Pattern =
  | { readonly kind: 'fill'; readonly value: number }
  /** start + step * position along one axis. */
  | { readonly kind: 'range'; readonly axis: number; readonly start: number; readonly step: number }
  /** In the last two axes: `inside` where column <= row + offset (triangle) or column = row + offset (diagonal). */
  | {
      readonly kind: 'triangle' | 'diagonal';
      readonly offset: number;
      readonly inside: number;
      readonly outside: number;
    };

interface Sample {
  readonly shape: Shape;
  readonly data: NumericArray;
}

/** The rule that all samples follow, or undefined. 16-bit floats are kept as raw bits and only compared. */
export function findPattern(dtype: DType, samples: readonly Sample[]): Pattern | undefined {
  const [first] = samples;
  if (samples.some((s) => s.shape.length !== first.shape.length || !s.data.length)) return undefined;
  const isRaw = dtype === 'float16' || dtype === 'bfloat16';
  const proposals = [fill(first), ...(isRaw ? [] : ranges(first)), ...(isRaw ? [] : bands(first))];
  return proposals.find((p) => p && samples.every((s) => follows(s, p)));
}

function fill({ data }: Sample): Pattern {
  return { kind: 'fill', value: data[0] };
}

function ranges({ shape, data }: Sample): Pattern[] {
  const strides = stridesOf(shape);
  return shape.flatMap((size, axis): Pattern[] => {
    if (size < 2) return [];
    const step = data[strides[axis]] - data[0];
    return Number.isInteger(step) && step !== 0 && Number.isInteger(data[0])
      ? [{ kind: 'range', axis, start: data[0], step }]
      : [];
  });
}

/** What the first rows say about a triangle or a diagonal. */
function bands({ shape, data }: Sample): Pattern[] {
  if (shape.length < 2) return [];
  const [rows, columns] = shape.slice(-2);
  const at = (i: number, j: number) => data[i * columns + j];
  const found: Pattern[] = [];
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

function follows({ shape, data }: Sample, pattern: Pattern): boolean {
  if (pattern.kind === 'fill') return data.every((v) => Object.is(v, pattern.value));
  if (pattern.kind === 'range') {
    const stride = stridesOf(shape)[pattern.axis];
    const size = shape[pattern.axis];
    return data.every((v, i) => v === pattern.start + pattern.step * (Math.floor(i / stride) % size));
  }
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
