/** @file Pools. */
export { averagePool, averagePoolGrad, globalAveragePool } from './pool/average.ts';
export { maxPoolGradByComparison } from './pool/compare.ts';
export { globalLpPool, lpPool } from './pool/lp.ts';
export { globalMaxPool, maxPool, maxPoolGrad, maxUnpool } from './pool/max.ts';
