/** @file Files of models: safetensors, ONNX. */

export {
  loadSafetensors,
  type NamedTensors,
  openSafetensors,
  parseSafetensors,
  type Safetensors,
  type SafetensorsReader,
  saveSafetensors,
  writeSafetensors,
} from '../train/safetensors.ts';
export { type ClassNames, hubClassNames } from './class-names.ts';
export { type HubDataFormat, type HubDatasetFiles, type HubDatasetOptions, hubDatasetFiles } from './hub-dataset.ts';
export { HubError } from './hub-error.ts';
export * from './onnx/index.ts';
export { type LoadModelOptions, loadModel, saveModel } from './save-model.ts';
export * from './tokenizer/index.ts';
