/** @file The tensor layer's public names. */
export * from './activation.ts';
export { backward, checkpoint, enableGrad, grad, noGrad } from './autograd.ts';
export * from './compare.ts';
export { clone } from './convert.ts';
export * from './creation.ts';
export { type CustomFunction, customGradient } from './custom-gradient.ts';
export { profile, setDebug } from './debug.ts';
export * from './indexing.ts';
export type { Dims, Indices } from './lift.ts';
export * from './linalg.ts';
export * from './math.ts';
export type { Operand } from './operand.ts';
export {
  type GeneratorState,
  getRngState,
  manualSeed,
  normal,
  rand,
  randint,
  randn,
  randperm,
  setRngState,
  uniform,
} from './random.ts';
export { realize } from './realize.ts';
export * from './reduce.ts';
export * from './shape.ts';
export { type NestedNumbers, Tensor } from './tensor.ts';
export { compile } from './tracing.ts';
