/** @file All operators, registered by importing them. */
export * from './activations.ts';
export * from './arithmetic.ts';
export * from './cast.ts';
export * from './compare.ts';
export { allOps, defineMultiOp, defineOp, findOp, isGradEnabled, outputsOf, withGrad } from './define.ts';
export * from './elementwise.ts';
export * from './gelu.ts';
export * from './matmul.ts';
export * from './movement.ts';
export * from './reduce.ts';
export * from './softmax.ts';
export * from './trigonometry.ts';
