/** @file Data sets, samplers, loaders, preparation and transforms; runs in Node and in browsers. */
export { type Batched, type Collate, type CollateOptions, defaultCollate, stackND } from './collate.ts';
export {
  ArrayDataset,
  asDataset,
  Dataset,
  type DatasetLike,
  type SampleOf,
  TensorDataset,
} from './dataset.ts';
export * from './formats/index.ts';
export { DataLoader, type DataLoaderOptions, type Loaded, type LoaderState } from './loader.ts';
export { type ModuleDataset, moduleDataset } from './module-dataset.ts';
export {
  fitLength,
  lengthMask,
  type PadCollateOptions,
  type PadOptions,
  padArrays,
  padCollate,
} from './pad-collate.ts';
export { fitDuration, type ResampleOptions, resample } from './prepare/audio.ts';
export {
  type ColumnCode,
  type ColumnKind,
  type ColumnOptions,
  detectKind,
  isMissing,
  type TableRow,
} from './prepare/columns.ts';
export { type ChannelStatistics, channelStatistics, MinMax, type ScalerJSON, Standardizer } from './prepare/scale.ts';
export {
  inspectSound,
  type PrepareSoundOptions,
  prepareSound,
  type SoundLimits,
  type SoundProblem,
  type SoundReport,
} from './prepare/sound.ts';
export {
  type EncodedTable,
  TableEncoder,
  type TableEncoderJSON,
  type TableOptions,
  type TargetCode,
} from './prepare/table.ts';
export { type TokenRule, Vocabulary, type VocabularyJSON, type VocabularyOptions } from './prepare/vocabulary.ts';
export {
  balancedWeights,
  LengthBucketSampler,
  RandomSampler,
  type RandomSamplerOptions,
  type Sampler,
  SequentialSampler,
  WeightedRandomSampler,
} from './sampler.ts';
export { randomSplit, type SplitOptions, stratifiedIndices, stratifiedSplit } from './split.ts';
export { type OpenStream, StreamDataset } from './stream.ts';
export { type Tensors, toTensor } from './to-tensor.ts';
export * as transforms from './transforms/index.ts';
