/** @file ONNX files in and out. */
export { type ExportOptions, exportOnnx, type HasExampleInputs } from './export.ts';
export type { OnnxFeature } from './features.ts';
export {
  type InspectOptions,
  inspectOnnx,
  type OnnxBranchInfo,
  type OnnxInspection,
  type OnnxParameterInfo,
  type OnnxTensorInfo,
} from './inspect.ts';
export { type OnnxAdapter, type OnnxInputs, type OnnxLinear, type OnnxLoadOptions, OnnxModel } from './model.ts';
export type { AxisNames, ExampleInput } from './sizes.ts';
export {
  type NonMaxSuppressionTailOptions,
  nonMaxSuppressionTail,
  type OnnxTail,
  type TailGraph,
  type TailNode,
  type TailValue,
} from './tail.ts';
