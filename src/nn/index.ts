/** @file Modules, layers, losses, initialisation. */
export * from './activation.ts';
export * from './attention.ts';
export * from './batchnorm.ts';
export * from './containers.ts';
export * from './conv.ts';
export * from './distance.ts';
export * from './dropout.ts';
export * from './embedding.ts';
export * as functional from './functional/index.ts';
export * as init from './init.ts';
export * from './linear.ts';
export * from './loss.ts';
export {
  Buffer,
  type LoadResult,
  Module,
  type NamePattern,
  Parameter,
  type StateDict,
} from './module.ts';
export * from './norm.ts';
export * from './padding.ts';
export * from './pool.ts';
export * from './recurrent.ts';
export * from './recurrent-cells.ts';
export * from './shape-layers.ts';
export * from './spectrogram.ts';
export * from './summary.ts';
export * from './transformer.ts';
