/** @file Reverse-mode differentiation: a transformation from a graph to the graph of its gradients. */
import { isFloat } from '../ir/dtype.ts';
import { GradientError, ShapeError } from '../ir/errors.ts';
import { constant, type GradientContext, type Node, topologicalOrder, type Value } from '../ir/graph.ts';
import { formatShape, sameShape } from '../ir/shape.ts';
import { add } from '../ops/arithmetic.ts';
import { withGrad } from '../ops/define.ts';
import { expand, sumTo } from '../ops/movement.ts';
import { type Recomputations, recomputed } from './checkpoint.ts';

export interface GradOptions {
  /** Gradients of the outputs (the vector of the vector-Jacobian product); ones for a scalar output by default. */
  gradOutputs?: readonly (Value | undefined)[];
  /** Keep the result differentiable, for second derivatives (PyTorch: create_graph). */
  createGraph?: boolean;
}

/**
 * Gradients of `outputs` with respect to `inputs` (torch.autograd.grad). An input that no output depends on gets undefined; one that does
 * not change the outputs (round, sign) gets zeros.
 * Only paths whose values require grad are followed, besides the inputs themselves.
 * @throws GradientError naming operator, node and path where a gradient must flow through an operator that has none.
 */
export function grad(
  outputs: readonly Value[],
  inputs: readonly Value[],
  options: GradOptions = {},
): (Value | undefined)[] {
  for (const input of inputs)
    if (!input.requiresGrad)
      throw new GradientError(
        `cannot differentiate with respect to ${input}: it does not require grad. Set requiresGrad before computing with it`,
      );
  return withGrad(options.createGraph ?? false, () => {
    const found = backward(outputs, inputs, options.gradOutputs);
    if (!found.includes(undefined)) return found;
    // What the outputs were computed from, but only by rounding and the like, has a gradient: zeros (PyTorch).
    const order = topologicalOrder(outputs, (v) => !v.requiresGrad);
    const used = new Set(order.flatMap((node) => node.inputs));
    return found.map(
      (dx, i) => dx ?? (used.has(inputs[i]) ? expand(constant(0, inputs[i].dtype), inputs[i].shape) : dx),
    );
  });
}

function backward(outputs: readonly Value[], inputs: readonly Value[], seeds?: readonly (Value | undefined)[]) {
  const targets = new Set(inputs);
  const order = topologicalOrder(outputs, (v) => !v.requiresGrad && !targets.has(v));
  const reaching = nodesReaching(order, targets);
  const gradients = new Map<Value, Value>();
  const recomputations: Recomputations = new Map();
  for (const [i, output] of outputs.entries()) accumulate(gradients, output, seed(output, seeds?.[i]));

  for (let i = order.length - 1; i >= 0; i--) {
    const node = order[i];
    if (!reaching.has(node)) continue;
    const dys = node.outputs.map((y) => gradients.get(y));
    if (dys.every((dy) => dy === undefined)) continue;
    const needs = node.inputs.map((x) => x !== null && isNeeded(x, targets, reaching));
    const again = node.segment && recomputed(node.segment, order, dys, recomputations);
    const dxs = differentiate(node, dys, needs, again, () => describePath(outputs, node));
    node.inputs.forEach((x, k) => {
      const dx = dxs[k];
      if (x && dx && needs[k]) accumulate(gradients, x, sumTo(dx, x.shape));
    });
  }
  return inputs.map((input) => gradients.get(input));
}

/** Nodes through which at least one target is reached. */
function nodesReaching(order: readonly Node[], targets: ReadonlySet<Value>): Set<Node> {
  const reaching = new Set<Node>();
  for (const node of order) if (node.inputs.some((x) => x && isNeeded(x, targets, reaching))) reaching.add(node);
  return reaching;
}

function isNeeded(x: Value, targets: ReadonlySet<Value>, reaching: ReadonlySet<Node>): boolean {
  return isFloat(x.dtype) && (targets.has(x) || (x.requiresGrad && x.node !== null && reaching.has(x.node)));
}

function accumulate(gradients: Map<Value, Value>, value: Value, gradient: Value): void {
  const before = gradients.get(value);
  gradients.set(value, before ? add(before, gradient) : gradient);
}

function seed(output: Value, given: Value | undefined): Value {
  if (given) {
    if (!sameShape(output.shape, given.shape))
      throw new ShapeError(
        `gradOutputs has shape ${formatShape(given.shape)}, the output ${formatShape(output.shape)}; they must be equal`,
      );
    return given;
  }
  if (output.size !== 1)
    throw new ShapeError(
      `the gradient of a tensor of shape ${formatShape(output.shape)} needs gradOutputs of the same shape; only a scalar has an implied one. Reduce with .sum() or .mean() first`,
    );
  return expand(constant(1, output.dtype), output.shape);
}

/** Applies a node's rule, or differentiates its decomposition. */
function differentiate(
  node: Node,
  dys: readonly (Value | undefined)[],
  needs: readonly boolean[],
  again: ReadonlyMap<Value, Value> | undefined,
  path: () => string,
): readonly (Value | undefined | null)[] {
  const { gradient, decompose, type } = node.op;
  if (gradient === 'zero') return [];
  if (typeof gradient === 'function') {
    const context: GradientContext = {
      // Rules declare which inputs they may miss; the type says Value for the common case.
      inputs: node.inputs.map((v) => (v && again?.get(v)) ?? v) as readonly Value[],
      outputs: node.outputs.map((v) => again?.get(v) ?? v),
      attrs: node.attrs,
      needs,
    };
    return gradient(context, dys);
  }
  if (gradient === 'decompose' && decompose) return throughDecomposition(node, decompose, dys, needs);
  throw new GradientError(
    `operator ${type} has no gradient, but one must flow through ${node}${node.site ? ` (built at ${node.site})` : ''}. Path from the output: ${path()}. Detach its result, freeze what lies below it, or replace the operator`,
  );
}

function throughDecomposition(
  node: Node,
  decompose: NonNullable<Node['op']['decompose']>,
  dys: readonly (Value | undefined)[],
  needs: readonly boolean[],
): readonly (Value | undefined)[] {
  const result = withGrad(true, () => decompose(node.inputs as readonly Value[], node.attrs));
  const results = Array.isArray(result) ? (result as readonly Value[]) : [result as Value];
  const used = results.flatMap((y, i) => (dys[i] && y.requiresGrad ? [i] : []));
  const wanted = node.inputs.flatMap((x, i) => (x && needs[i] ? [i] : []));
  const found = backward(
    used.map((i) => results[i]),
    wanted.map((i) => node.inputs[i] as Value),
    used.map((i) => dys[i]),
  );
  const dxs: (Value | undefined)[] = node.inputs.map(() => undefined);
  wanted.forEach((i, k) => {
    dxs[i] = found[k];
  });
  return dxs;
}

/** `Loss <- Softmax <- Det`, from an output down to the node. */
function describePath(outputs: readonly Value[], goal: Node): string {
  const from = new Map<Node, Node | null>();
  const queue: Node[] = [];
  const push = (value: Value | null, parent: Node | null) => {
    if (value?.node && !from.has(value.node)) {
      from.set(value.node, parent);
      queue.push(value.node);
    }
  };
  for (const output of outputs) push(output, null);
  for (let node = queue.shift(); node && node !== goal; node = queue.shift())
    for (const x of node.inputs) push(x, node);
  const names: string[] = [];
  for (let node: Node | null | undefined = goal; node; node = from.get(node)) names.unshift(node.op.type);
  return names.join(' <- ');
}
