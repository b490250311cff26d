/** @file Records of a training run: metrics.jsonl and TensorBoard event files. */
export { type MetricsRecord, MetricsWriter, type MetricsWriterOptions, readMetrics } from './metrics-file.ts';
export { type TensorBoardOptions, TensorBoardWriter } from './tensorboard.ts';
