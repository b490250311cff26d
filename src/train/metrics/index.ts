/** @file Metrics: small objects that accumulate over batches. See `Metric`. */
export { accuracy, type TopKOptions, topKAccuracy } from './accuracy.ts';
export type { Average, AverageOptions } from './averages.ts';
export { type BleuOptions, bleu } from './bleu.ts';
export { type ClassOptions, type ClassScores, type ConfusionMatrix, classScores } from './classes.ts';
export { classificationReport, confusionMatrix, confusionTable } from './confusion-matrix.ts';
export { equalErrorRate } from './equal-error-rate.ts';
export { cer, wer } from './error-rate.ts';
export { f1 } from './f1.ts';
export { mean } from './mean.ts';
export {
  type Box,
  type Detections,
  type MeanAveragePrecisionOptions,
  meanAveragePrecision,
  type Objects,
} from './mean-average-precision.ts';
export { type MeanIoUOptions, meanIoU } from './mean-iou.ts';
export type { Metric, MetricResult } from './metric.ts';
export { ndcg } from './ndcg.ts';
export { bitsPerCharacter, type PerplexityOptions, perplexity } from './perplexity.ts';
export { precision } from './precision.ts';
export { averagePrecision, type RankingOptions, rocAuc } from './ranking.ts';
export { recall } from './recall.ts';
export { mae, r2, rmse } from './regression.ts';
