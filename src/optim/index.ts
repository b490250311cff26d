/** @file Optimisers. */
export { type AdamWOptions, adamw } from './adamw.ts';
export {
  defineOptimizer,
  Optimizer,
  type OptimizerDefinition,
  type OptimizerFactory,
  type OptimizerGroup,
  type OptimizerState,
  type ParameterGroup,
  zerosLikeParameter,
} from './optimizer.ts';
