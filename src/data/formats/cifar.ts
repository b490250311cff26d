/** @file CIFAR binary files (www.cs.toronto.edu/~kriz/cifar.html): label bytes, then 3 x 32 x 32 pixels. */
import { FormatError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { type ReadOptions, withDefaults } from './bytes.ts';

/** Images [N, 3, 32, 32] uint8 and labels [N] int64. */
export interface LabelledImages {
  readonly images: NDArray;
  readonly labels: NDArray;
}

const PIXELS = 3 * 32 * 32;

function parse(bytes: Uint8Array, name: string, labelBytes: number, labelAt: number, classes: number): LabelledImages {
  const record = labelBytes + PIXELS;
  if (bytes.length === 0 || bytes.length % record !== 0)
    throw new FormatError(
      `${name}: ${bytes.length} bytes are no whole number of records of ${record} bytes (${labelBytes} label + ${PIXELS} pixels)`,
    );
  const count = bytes.length / record;
  const labels = new Float64Array(count);
  const images = new Uint8Array(count * PIXELS);
  for (let i = 0; i < count; i++) {
    const label = bytes[i * record + labelAt];
    if (label >= classes)
      throw new FormatError(`${name}: record ${i} has label ${label}; expected 0 to ${classes - 1}`);
    labels[i] = label;
    images.set(bytes.subarray(i * record + labelBytes, (i + 1) * record), i * PIXELS);
  }
  return {
    images: { data: images, shape: [count, 3, 32, 32], dtype: 'uint8' },
    labels: { data: labels, shape: [count], dtype: 'int64' },
  };
}

/** CIFAR-10 binary: one label byte 0 to 9. @throws FormatError for a wrong size or label. */
export function parseCifar10(bytes: Uint8Array, options: ReadOptions = {}): LabelledImages {
  return parse(bytes, withDefaults(options).name, 1, 0, 10);
}

/** CIFAR-100 binary: a coarse label byte (0 to 19), then the fine one (0 to 99), which is used unless `coarse`. */
export function parseCifar100(
  bytes: Uint8Array,
  { coarse = false, ...options }: ReadOptions & { coarse?: boolean } = {},
): LabelledImages {
  return parse(bytes, withDefaults(options).name, 2, coarse ? 0 : 1, coarse ? 20 : 100);
}
