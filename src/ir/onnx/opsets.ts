/** @file The oldest operator sets in which nodes mean what they mean in the newest one. */
import type { DType } from '../dtype.ts';
import type { Node } from '../graph.ts';
import { oldestForms } from './oldest-forms.ts';
import { newestOpset } from './upgrade.ts';

/** Files are not written in older operator sets than this; ONNX Runtime reads it since 1.14 (2023). */
export const oldestWritten = 18;

/** Element types that operators had long before the oldest set that is written. */
export const commonDTypes: ReadonlySet<DType> = new Set(['float32', 'float64', 'int32', 'int64', 'uint8', 'bool']);

/** The oldest operator set that has a node in the form in which it would be written. */
export function oldestOpsetOf({ op, inputs, outputs }: Node): number {
  const isCommon = [...inputs, ...outputs].every((v) => !v || commonDTypes.has(v.dtype));
  return isCommon && op.domain === '' ? (oldestForms[op.type] ?? newestOpset) : newestOpset;
}

/** The oldest operator set that has all nodes. */
export function oldestOpset(nodes: readonly Node[]): number {
  return nodes.reduce((most, node) => Math.max(most, oldestOpsetOf(node)), oldestWritten);
}

/** The IR version that came with an operator set; older runtimes refuse newer ones. */
export function irVersionOf(opset: number): number {
  if (opset <= 18) return 8;
  return opset <= 20 ? 9 : 10;
}
