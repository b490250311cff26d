/** @file Keys and values of earlier tokens, kept on the device in tensors of a fixed length that programs write by position. */
import type { NumericArray } from '../../ir/dtype.ts';
import { fromData, type Tensor, zeros } from '../../tensor/index.ts';
import type { KeyValueCache } from './attention.ts';

/** Sizes of a decoder. */
export interface DecoderShape {
  readonly layers: number;
  /** Heads of keys and values. */
  readonly heads: number;
  /** Features of one head. */
  readonly features: number;
  readonly vocabSize: number;
  /** Positions that the model knows, prompt and answer together; null for any number. */
  readonly maxPositions: number | null;
}

/** Lengths are rounded up so that few programs serve all: a power of two up to 64, then a multiple of it. */
export function bucketLength(length: number, least = 8): number {
  let bucket = least;
  while (bucket < length) bucket *= 2;
  return bucket <= 64 ? bucket : Math.ceil(length / 64) * 64;
}

/** Room for keys and values: one pair [rows, heads, length, features] per layer. */
export class KeyValueMemory {
  readonly length: number;
  readonly keys: readonly Tensor[];
  readonly values: readonly Tensor[];

  constructor({ layers, heads, features }: DecoderShape, rows: number, length: number) {
    const room = () => Array.from({ length: layers }, () => zeros([rows, heads, length, features]));
    this.length = length;
    this.keys = room();
    this.values = room();
  }

  /** While a prompt is read: its keys and values go to the first slots, each row as often as there are beams. */
  filling(): KeyValueCache {
    const fill = (memory: Tensor, x: Tensor) => {
      const beams = memory.size(0) / x.size(0);
      const rows = beams > 1 ? x.repeatInterleave(beams, 0) : x;
      memory.assign(rows.pad([0, 0, 0, this.length - x.size(2)]));
    };
    return {
      update: (layer, key, value) => {
        fill(this.keys[layer], key);
        fill(this.values[layer], value);
        return [key, value];
      },
    };
  }

  /** While a token per row is read: it goes to `slot` (int64 scalar); row i goes on from row parents[i]. */
  extending(slot: Tensor, parents: Tensor | undefined): KeyValueCache {
    const at = slot.reshape([1, 1, 1, 1]);
    const extend = (memory: Tensor, x: Tensor) => {
      const next = (parents ? memory.indexSelect(0, parents) : memory).scatter(2, at.expand(x.shape), x);
      memory.assign(next);
      return next;
    };
    return {
      update: (layer, key, value) => [extend(this.keys[layer], key), extend(this.values[layer], value)],
    };
  }

  /** Takes over what a shorter memory of the same rows holds. */
  async copy(from: KeyValueMemory): Promise<void> {
    const pairs = [...this.keys.map((t, i) => [t, from.keys[i]]), ...this.values.map((t, i) => [t, from.values[i]])];
    for (const [target, source] of pairs) {
      const [rows, heads, length, features] = source.shape;
      const data = await source.data();
      const wide = new Float32Array(target.numel());
      const step = this.length * features;
      for (let i = 0; i < rows * heads; i++)
        wide.set(data.subarray(i * length * features, (i + 1) * length * features), i * step);
      target.setData(wide);
    }
  }
}

/** An int64 tensor of whole numbers. */
export function int64(rows: readonly (readonly number[])[]): Tensor {
  return fromData(Float64Array.from(rows.flat()), [rows.length, rows[0]?.length ?? 0], { dtype: 'int64' });
}

/** An int64 tensor of one dimension, or a scalar. */
export function int64List(values: readonly number[] | number): Tensor {
  const list = typeof values === 'number' ? [values] : values;
  return fromData(Float64Array.from(list), typeof values === 'number' ? [] : [list.length], { dtype: 'int64' });
}

/** Elements of a float32 tensor. */
export async function floats(tensor: Tensor): Promise<Float32Array> {
  const data: NumericArray = await tensor.data();
  return data instanceof Float32Array ? data : Float32Array.from(data);
}
