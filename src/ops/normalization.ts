/** @file Normalisations. */
export { batchNormalization } from './normalization/batch.ts';
export { groupNormalization, instanceNormalization } from './normalization/group.ts';
export { layerNormalization, rmsNormalization } from './normalization/layer.ts';
export { lpNormalization, lrn, meanVarianceNormalization } from './normalization/other.ts';
