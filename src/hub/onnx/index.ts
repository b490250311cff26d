/** @file ONNX files in and out. */
export { type ExportOptions, exportOnnx, type HasExampleInputs } from './export.ts';
export { inspectOnnx, type OnnxInspection, type OnnxParameterInfo, type OnnxTensorInfo } from './inspect.ts';
export { type OnnxInputs, type OnnxLoadOptions, OnnxModel } from './model.ts';
export type { AxisNames, ExampleInput } from './sizes.ts';
