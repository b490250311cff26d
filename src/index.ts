/** @file Gradus: deep learning for TypeScript, on ONNX Runtime. */
export * from './data/index.ts';
export * from './hub/index.ts';
export type { DType, NumericArray } from './ir/dtype.ts';
export * from './ir/errors.ts';
export type { NDArray } from './ir/ndarray.ts';
export type { Shape } from './ir/shape.ts';
export * from './models/index.ts';
export * from './nn/decoding/index.ts';
export * as F from './nn/functional/index.ts';
export * as nn from './nn/index.ts';
export * as optim from './optim/index.ts';
export { getDevice, setDevice } from './runtime/device.ts';
export * from './tensor/index.ts';
// Of two things with one name, the tensor operation is at the top; the metric is `metrics.mean`.
export { mean, type PadOptions } from './tensor/index.ts';
export * from './train/index.ts';
export * as metrics from './train/metrics/index.ts';
