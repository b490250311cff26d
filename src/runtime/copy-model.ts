/** @file A model that copies one tensor: the way between host and device memory that every ONNX Runtime build has. */
import { type EmittedModel, wrapModel } from '../compiler/emit.ts';
import { type DType, dtypes } from '../ir/dtype.ts';
import { encodeModel } from '../ir/onnx/encode.ts';

/** Copies a tensor of any shape of the given rank. */
export function copyModel(dtype: DType, rank: number): EmittedModel {
  const shape = Array.from({ length: rank }, (_, i) => `d${i}`);
  const port = (name: string) => ({ name, elemType: dtypes[dtype].onnx, shape });
  const node = { opType: 'Identity', domain: '', name: 'copy', input: ['x'], output: ['y'], attribute: [] };
  const graph = { name: 'copy', node: [node], initializer: [], input: [port('x')], output: [port('y')], valueInfo: [] };
  return { bytes: encodeModel(wrapModel(graph)), inputNames: ['x'], outputNames: ['y'] };
}
