/** @file Products of tensors: matmul and its special cases, einsum. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import type { Value } from '../ir/graph.ts';
import { formatShape, sameShape, sizeOf } from '../ir/shape.ts';
import * as ops from '../ops/index.ts';
import { zeros } from './creation.ts';
import { requireDims, requireTensor, viaInt32 } from './lift.ts';
import { add, mul } from './math.ts';
import { pair } from './operand.ts';
import { sum } from './reduce.ts';
import { diagonal, movedim, reshape } from './shape.ts';
import { Tensor } from './tensor.ts';

/**
 * Matrix product with NumPy's rules: vectors count as a row or a column, leading dimensions broadcast.
 * @throws ShapeError naming both shapes where the inner dimensions differ.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  requireTensor(a, 'matmul', 'the first operand');
  requireTensor(b, 'matmul', 'the second operand');
  const product = new Tensor(viaInt32(pair(a, b), ops.matMul));
  const isPlain = a.ndim === b.ndim && sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (isPlain || product.numel() > 0) return product;
  // ONNX Runtime does not broadcast to an empty batch; there is nothing to compute, but operands keep their gradient, 0.
  const { shape, dtype, requiresGrad } = product;
  const nothing = zeros(shape, { dtype });
  return requiresGrad ? add(nothing, mul(add(sum(a), sum(b)), 0)) : nothing;
}

/** Product of two matrices. */
export function mm(a: Tensor, b: Tensor): Tensor {
  requireDims(a, 2, 'mm', 'the first matrix');
  requireDims(b, 2, 'mm', 'the second matrix');
  return matmul(a, b);
}

/** Products of two batches of matrices, [b, n, m] and [b, m, p]. */
export function bmm(a: Tensor, b: Tensor): Tensor {
  requireDims(a, 3, 'bmm', 'the first batch');
  requireDims(b, 3, 'bmm', 'the second batch');
  if (a.shape[0] !== b.shape[0])
    throw new ShapeError(
      `bmm: batches of ${a.shape[0]} and ${b.shape[0]} matrices; shapes ${formatShape(a.shape)} and ${formatShape(b.shape)} must agree in the first dimension`,
    );
  return matmul(a, b);
}

/** Product of a matrix and a vector. */
export function mv(a: Tensor, b: Tensor): Tensor {
  requireDims(a, 2, 'mv', 'the matrix');
  requireDims(b, 1, 'mv', 'the vector');
  return matmul(a, b);
}

/** Inner product of two vectors. */
export function dot(a: Tensor, b: Tensor): Tensor {
  requireDims(a, 1, 'dot', 'the first vector');
  requireDims(b, 1, 'dot', 'the second vector');
  return matmul(a, b);
}

/** Outer product of two vectors. */
export function outer(a: Tensor, b: Tensor): Tensor {
  requireDims(a, 1, 'outer', 'the first vector');
  requireDims(b, 1, 'outer', 'the second vector');
  return mul(reshape(a, [-1, 1]), b);
}

/** beta * x + alpha * (a b), for matrices a and b (torch.addmm). */
export function addmm(x: Tensor, a: Tensor, b: Tensor, options: { alpha?: number; beta?: number } = {}): Tensor {
  const { alpha = 1, beta = 1 } = options;
  return add(mul(x, beta), mm(a, b), { alpha });
}

/** x (any leading dimensions) times the transpose of `weight` [out, in], plus bias [out] (torch.nn.functional.linear). */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor | null): Tensor {
  requireTensor(x, 'linear');
  requireDims(weight, 2, 'linear', 'weight');
  const [outs, ins] = weight.shape;
  if (x.shape.at(-1) !== ins)
    throw new ShapeError(
      `linear: the last dimension of the input ${formatShape(x.shape)} must equal ${ins}, the second of weight ${formatShape(weight.shape)}`,
    );
  if (x.ndim === 1) return reshape(linear(reshape(x, [1, ins]), weight, bias), [outs]);
  return new Tensor(ops.linear(x.value, weight.value, bias?.value));
}

/** x1' W_k x2 + bias_k for each output k: x1 [..., in1], x2 [..., in2], weight [out, in1, in2]. */
export function bilinear(x1: Tensor, x2: Tensor, weight: Tensor, bias?: Tensor | null): Tensor {
  const y = einsum('...i,kij,...j->...k', x1, weight, x2);
  return bias ? add(y, bias) : y;
}

/** A tensor with a letter (or, for '...', a numbered dot) per dimension. */
interface Labelled {
  readonly value: Value;
  readonly labels: readonly string[];
}

/**
 * Sums of products by Einstein's notation (torch.einsum): `einsum('bij,bjk->bik', x, y)`. A letter that repeats within
 * one term takes the diagonal, '...' broadcasts, letters absent from the output are summed; without '->' the letters that
 * occur once come out in alphabetical order. Operands are combined from left to right by batched matrix products.
 * @throws ArgumentError for an equation that does not fit the operands; ShapeError where sizes of a letter differ.
 */
export function einsum(equation: string, ...operands: readonly Tensor[]): Tensor {
  if (typeof equation !== 'string')
    throw new ArgumentError(`einsum: the equation comes first, as in einsum('ij,jk->ik', a, b); found ${equation}`);
  const [left, right] = equation.replaceAll(' ', '').split('->');
  const terms = left.split(',');
  if (terms.length !== operands.length)
    throw new ArgumentError(`einsum: '${equation}' has ${terms.length} terms for ${operands.length} operands`);
  const inputs = operands.map((x, i) => labelled(x, terms[i], equation));
  const dots = Math.max(...inputs.map(({ labels }) => labels.filter((l) => l.startsWith('.')).length));
  const sizes = new Map<string, number>();
  for (const { labels, value } of inputs)
    for (const [i, label] of labels.entries()) unifySize(sizes, label, value.shape[i], equation);
  const output = outputLabels(left, right, dots);
  for (const label of output)
    if (!sizes.has(label)) throw new ArgumentError(`einsum: output letter '${label}' of '${equation}' is in no term`);

  let acc = inputs[0];
  for (let i = 1; i < inputs.length; i++) {
    const needed = new Set([...output, ...inputs.slice(i + 1).flatMap((x) => x.labels)]);
    acc = contract(acc, inputs[i], needed, sizes);
  }
  const summed = sumAway(acc, new Set(output));
  const perm = output.map((label) => summed.labels.indexOf(label));
  return new Tensor(ops.transpose(summed.value, { perm }));
}

function labelled(x: Tensor, term: string, equation: string): Labelled {
  const letters = term.replace('...', '');
  if (!/^[A-Za-z]*$/.test(letters))
    throw new ArgumentError(`einsum: '${term}' in '${equation}' may hold letters and one '...' only`);
  const dots = x.ndim - letters.length;
  if (term.includes('...') ? dots < 0 : dots !== 0)
    throw new ArgumentError(`einsum: '${term}' in '${equation}' does not fit shape ${formatShape(x.shape)}`);
  const at = term.indexOf('...');
  const labels = [...letters];
  // Dots are numbered from the end, so that they align as broadcasting does.
  if (at >= 0) labels.splice(at, 0, ...Array.from({ length: dots }, (_, i) => `.${dots - i}`));
  let out = x;
  for (let i = 0; i < labels.length; i++) {
    const j = labels.indexOf(labels[i], i + 1);
    if (j < 0) continue;
    if (out.shape[i] !== out.shape[j])
      throw new ShapeError(`einsum: '${labels[i]}' in '${term}' stands for sizes ${out.shape[i]} and ${out.shape[j]}`);
    out = movedim(diagonal(out, { dim1: i, dim2: j }), -1, i);
    labels.splice(j, 1);
    i--;
  }
  return { value: out.value, labels };
}

function unifySize(sizes: Map<string, number>, label: string, size: number, equation: string): void {
  const known = sizes.get(label) ?? 1;
  if (known !== 1 && size !== 1 && known !== size)
    throw new ShapeError(`einsum: '${label}' in '${equation}' stands for sizes ${known} and ${size}`);
  sizes.set(label, known === 1 ? size : known);
}

function outputLabels(left: string, right: string | undefined, dots: number): string[] {
  const numbered = Array.from({ length: dots }, (_, i) => `.${dots - i}`);
  if (right !== undefined) {
    const at = right.indexOf('...');
    const labels = [...right.replace('...', '')];
    if (at >= 0) labels.splice(at, 0, ...numbered);
    return labels;
  }
  const all = [...left].filter((l) => /[A-Za-z]/.test(l));
  return [...numbered, ...all.filter((l) => all.indexOf(l) === all.lastIndexOf(l)).sort()];
}

/** Sums over the dimensions whose labels nobody needs. */
function sumAway({ value, labels }: Labelled, needed: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, i) => (needed.has(label) ? [] : [i]));
  if (!axes.length) return { value, labels };
  return { value: ops.reduceSum(value, ops.ints(axes), { keepdims: 0 }), labels: labels.filter((l) => needed.has(l)) };
}

/** Product of two operands, summed over the labels that are not needed any more, as one batched matrix product. */
function contract(a: Labelled, b: Labelled, needed: ReadonlySet<string>, sizes: ReadonlyMap<string, number>): Labelled {
  const x = sumAway(a, new Set([...needed, ...b.labels]));
  const y = sumAway(b, new Set([...needed, ...a.labels]));
  const shared = x.labels.filter((l) => y.labels.includes(l));
  const batch = shared.filter((l) => needed.has(l));
  const inner = shared.filter((l) => !needed.has(l));
  const rows = x.labels.filter((l) => !shared.includes(l));
  const columns = y.labels.filter((l) => !shared.includes(l));
  const size = (labels: readonly string[]) => labels.map((l) => sizes.get(l) ?? 1);
  const arranged = (v: Labelled, groups: readonly (readonly string[])[]) => {
    const order = groups.flat();
    const moved = ops.transpose(v.value, { perm: order.map((l) => v.labels.indexOf(l)) });
    // Shared dimensions of size 1 are broadcast; others are expanded only in name.
    const wide = ops.expand(
      moved,
      order.map((l, i) => (shared.includes(l) ? (sizes.get(l) ?? 1) : moved.shape[i])),
    );
    return ops.reshape(
      wide,
      groups.map((g) => sizeOf(size(g))),
    );
  };
  const labels = [...batch, ...rows, ...columns];
  if (!inner.length && !rows.length && !columns.length)
    return { value: ops.mul(withOrder(x, batch), withOrder(y, batch)), labels };
  const product = ops.matMul(arranged(x, [batch, rows, inner]), arranged(y, [batch, inner, columns]));
  return { value: ops.reshape(product, size(labels)), labels };
}

function withOrder(x: Labelled, order: readonly string[]): Value {
  return ops.transpose(x.value, { perm: order.map((l) => x.labels.indexOf(l)) });
}
