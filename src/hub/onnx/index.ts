/** @file ONNX files in and out. */
export { type OnnxInputs, type OnnxLoadOptions, OnnxModel } from './model.ts';
