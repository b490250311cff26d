/** @file The functional API, `F` in examples: stateless layers and losses. */
export {
  bilinear,
  celu,
  elu,
  gelu,
  glu,
  hardshrink,
  hardsigmoid,
  hardswish,
  hardtanh,
  leakyRelu,
  linear,
  logSoftmax,
  logsigmoid,
  mish,
  oneHot,
  pad,
  prelu,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softmax,
  softmin,
  softplus,
  softshrink,
  softsign,
  tanh,
  tanhshrink,
  threshold,
} from '../../tensor/index.ts';
export * from './attention.ts';
export * from './boxes.ts';
export * from './classification.ts';
export * from './conv.ts';
export * from './ctc.ts';
export * from './distance.ts';
export * from './dropout.ts';
export * from './embedding.ts';
export * from './norm.ts';
export * from './pool.ts';
export * from './ranking.ts';
export * from './rearrange.ts';
export type { LossOptions, Reduction } from './reduction.ts';
export * from './regression.ts';
export * from './resize.ts';
export type { Sizes } from './sizes.ts';
