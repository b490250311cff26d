/** @file What training needs of any kind of data, and what a run keeps to prepare data the same way again. */
import { z } from 'zod';
import type { DatasetLike } from '../../data/index.ts';
import type { NDArray } from '../../ir/ndarray.ts';

export const tasks = ['image-classification', 'tabular-classification', 'tabular-regression'] as const;
export type Task = (typeof tasks)[number];

/** Model input and target: a class index or a number. */
export interface Sample {
  readonly x: NDArray;
  readonly y: number;
}

/** Samples with their targets at hand, so that nothing need be decoded to count classes. */
export interface LabelledData extends DatasetLike<Sample> {
  readonly labels: ArrayLike<number>;
  /** What a sample is called in messages: a path, `row 17`. */
  name(index: number): string;
}

/** How images become model inputs. */
export const imageCode = z.object({
  kind: z.literal('image'),
  classes: z.array(z.string()).min(1),
  channels: z.union([z.literal(1), z.literal(3)]),
  height: z.number().int().positive().max(4096),
  width: z.number().int().positive().max(4096),
  /** Per channel, of pixels from 0 to 1. */
  mean: z.array(z.number()),
  std: z.array(z.number().positive()),
});
export type ImageCode = z.infer<typeof imageCode>;

/** How rows become model inputs. */
export const tableCode = z.object({
  kind: z.literal('table'),
  /** TableEncoder.toJSON(). */
  encoder: z.record(z.string(), z.unknown()),
  /** Regression: the model gives (y - mean) / std. */
  scale: z.object({ mean: z.number(), std: z.number().positive() }).nullable(),
});
export type TableCode = z.infer<typeof tableCode>;

export const preprocess = z.discriminatedUnion('kind', [imageCode, tableCode]);
export type Preprocess = z.infer<typeof preprocess>;

/** Data ready for training. */
export interface Prepared {
  readonly task: Task;
  readonly preprocess: Preprocess;
  /** Class names; empty for regression. */
  readonly classes: readonly string[];
  /** Shape of one input. */
  readonly inputShape: readonly number[];
  readonly train: LabelledData;
  readonly val: LabelledData | undefined;
  readonly test: LabelledData | undefined;
  /** Kept in run.json. */
  readonly description: Readonly<Record<string, unknown>>;
}

/** How the data are cut. */
export interface SplitRequest {
  /** Share of the training data, or a path. */
  readonly val: number | string | undefined;
  readonly test: number | string | undefined;
  readonly seed: number;
  /** At most so many samples in all, every class in its share. */
  readonly limit: number | undefined;
}

/** Shares of training, validation and test data where the data do not come in parts. */
export const defaultShare = 0.1;
