/** @file The tensor layer's public names. */
export { backward, enableGrad, grad, noGrad } from './autograd.ts';
export * from './creation.ts';
export { setDebug } from './debug.ts';
export type { Operand } from './operand.ts';
export * from './random.ts';
export { realize } from './realize.ts';
export { type NestedNumbers, Tensor } from './tensor.ts';
export { compile, type Traceable } from './tracing.ts';
