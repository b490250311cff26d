/** @file Inputs of an imported graph: tensors must fit what the file says of them; some are given once. */
import { dtypeFromOnnx, isFloat, isInteger } from '../../ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../../ir/errors.ts';
import { Value } from '../../ir/graph.ts';
import type { GraphProto, ValueInfoProto } from '../../ir/onnx/proto.ts';
import { formatShape } from '../../ir/shape.ts';
import { type NestedNumbers, Tensor, tensor } from '../../tensor/index.ts';

/** Values of inputs that are given once, in the dtype and shape that the file wants. */
export async function fixedInputs(
  graph: GraphProto,
  fixed: Readonly<Record<string, Tensor | NestedNumbers>>,
): Promise<Map<string, Value>> {
  const values = new Map<string, Value>();
  for (const [name, given] of Object.entries(fixed)) {
    const info = graph.input.find((input) => input.name === name);
    if (!info)
      throw new ArgumentError(
        `fixed: the model has no input '${name}'; its inputs are ${list(graph.input.map((i) => i.name))}`,
      );
    const wanted = info.elemType === undefined ? undefined : dtypeFromOnnx(info.elemType);
    const found = withDType(info, given instanceof Tensor ? given : tensor(given, { dtype: wanted }));
    checkShape(info, found, new Map());
    values.set(name, Value.constant(found.dtype, found.shape, await found.data()));
  }
  return values;
}

const list = (names: readonly string[]) => names.map((n) => `'${n}'`).join(', ') || 'none';

/** Sizes must be those of the file; one symbol stands for one size. */
export function checkShape(
  info: ValueInfoProto,
  tensor: Tensor,
  symbols: Map<string, { size: number; by: string }>,
): void {
  const { shape, name } = info;
  if (!shape) return;
  const expected = `expected [${shape.map((d) => d ?? '?').join(', ')}], found ${formatShape(tensor.shape)}`;
  if (shape.length !== tensor.ndim) throw new ShapeError(`input '${name}': ${expected}`);
  shape.forEach((dim, i) => {
    const size = tensor.shape[i];
    if (typeof dim === 'number' && dim !== size) throw new ShapeError(`input '${name}': ${expected}`);
    if (typeof dim !== 'string') return;
    const before = symbols.get(dim);
    if (before && before.size !== size)
      throw new ShapeError(
        `input '${name}': ${expected}; '${dim}' is ${size} here and ${before.size} in input '${before.by}'`,
      );
    symbols.set(dim, { size, by: name });
  });
}

/** Integers are brought to the width that the file wants; everything else must fit. */
export function withDType({ name, elemType }: ValueInfoProto, tensor: Tensor): Tensor {
  const wanted = elemType === undefined ? undefined : dtypeFromOnnx(elemType);
  if (!wanted || wanted === tensor.dtype) return tensor;
  if ((isInteger(wanted) || wanted === 'bool') && !isFloat(tensor.dtype)) return tensor.to(wanted);
  throw new DTypeError(`input '${name}' takes ${wanted}, found ${tensor.dtype}; cast it with .to('${wanted}')`);
}
