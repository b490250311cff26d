/** @file backward, grad, noGrad: differentiation as users see it. */
import { asSegment } from '../autograd/checkpoint.ts';
import { grad as gradValues } from '../autograd/grad.ts';
import { GradientError } from '../ir/errors.ts';
import { topologicalOrder, type Value } from '../ir/graph.ts';
import { withGrad } from '../ops/define.ts';
import { Tensor } from './tensor.ts';

/** The tensor whose `.grad` receives the gradient of a leaf value. */
const owners = new WeakMap<Value, Tensor>();

/** Declares that the gradient of the tensor's present value belongs to the tensor. */
export function ownValue(tensor: Tensor): void {
  owners.set(tensor.value, tensor);
}

/** Losses and gradients of `backward()` calls that no program has computed yet. */
interface PendingBackward {
  /** What losses were computed from. */
  readonly predictions: readonly Tensor[];
  readonly keepGraph: boolean;
  readonly loss: Tensor;
  readonly owners: readonly Tensor[];
}

let pendingBackward: PendingBackward[] = [];

/** What the next program should compute besides what is asked for: losses, and gradients still attached to a parameter. */
export function takeBackward(): { wanted: Tensor[]; spent: Tensor[] } {
  const all = pendingBackward;
  pendingBackward = [];
  const wanted = all.flatMap(({ loss, owners, predictions }) => [
    loss,
    ...predictions,
    ...termsOf(loss.value).map((term) => new Tensor(term)),
    // The gradient as it is now: accumulated further, or clipped.
    ...owners.flatMap((owner) => owner.grad ?? []),
  ]);
  // As in PyTorch, a graph is let go once its backward has been computed.
  return { wanted, spent: all.flatMap(({ loss, keepGraph }) => (keepGraph ? [] : [loss])) };
}

/** So many terms of a loss at most are kept readable. */
const mostTerms = 32;

/**
 * The scalars that a loss was computed from: of `reconstruction.add(divergence.mul(0.1))` or `loss.div(steps)` people read
 * the parts after the step, when the parameters they were built on are overwritten.
 */
function termsOf(loss: Value): Value[] {
  const found = new Set([loss]);
  for (const value of found) {
    if (found.size > mostTerms) break;
    for (const input of value.node?.inputs ?? [])
      if (input?.node && input.rank === 0 && input.requiresGrad && !input.realized) found.add(input);
  }
  found.delete(loss);
  return [...found];
}

/** Lets the next program deliver `tensor` too, such as a norm of gradients that will be gone once parameters are updated. */
export function deliverWithBackward(tensor: Tensor): void {
  pendingBackward.push({ loss: tensor, owners: [], predictions: [], keepGraph: false });
}

/** Forgets pending losses and their gradients, which no program will compute: a compiled function returns what it wants kept. */
export function discardBackward(): void {
  for (const { owners } of pendingBackward) for (const owner of owners) owner.grad = null;
  pendingBackward = [];
}

export interface BackwardOptions {
  /** The gradient of the loss; ones for a scalar by default. */
  gradient?: Tensor;
  /** Keep the gradients differentiable (PyTorch: create_graph). */
  createGraph?: boolean;
}

/**
 * Adds the gradient of `loss` to the `.grad` of every leaf that requires grad (torch.Tensor.backward). Nothing is computed
 * yet: the optimiser's step, or the first read, runs forward and backward as one program.
 * @throws GradientError if nothing that requires grad leads to the loss, or an operator on the way has no gradient.
 */
export function backward(loss: Tensor, options: BackwardOptions = {}): void {
  if (!loss.requiresGrad)
    throw new GradientError(
      'backward() on a tensor that does not require grad: no parameter leads to it (was it detached, built under noGrad, or realised after an earlier backward?)',
    );
  const { leaves, predictions } = below(loss.value);
  const found = gradValues(
    [loss.value],
    leaves.map((l) => l.value),
    { gradOutputs: [options.gradient?.value], createGraph: options.createGraph ?? false },
  );
  const owners: Tensor[] = [];
  leaves.forEach(({ tensor }, i) => {
    const value = found[i];
    if (!value) return;
    const gradient = new Tensor(value);
    tensor.grad = tensor.grad ? tensor.grad.add(gradient) : gradient;
    owners.push(tensor);
  });
  pendingBackward.push({ loss, owners, predictions, keepGraph: options.createGraph ?? false });
}

/** The tensors that own leaves below a value, and what losses among its nodes were computed from, in a stable order. */
function below(value: Value): { leaves: { value: Value; tensor: Tensor }[]; predictions: Tensor[] } {
  const found = new Map<Value, Tensor>();
  const look = (v: Value | null) => {
    const owner = v?.requiresGrad ? owners.get(v) : undefined;
    if (v && owner) found.set(v, owner);
  };
  look(value);
  const order = topologicalOrder([value], (v) => !v.requiresGrad || owners.has(v));
  const predictions: Tensor[] = [];
  for (const node of order) {
    for (const input of node.inputs) look(input);
    for (const output of node.outputs) {
      if (carried.has(output)) predictions.push(new Tensor(output));
      for (const state of carriedWith.get(output) ?? []) predictions.push(new Tensor(state));
    }
    const prediction = predictionOf.get(node.outputs[0]);
    if (prediction) predictions.push(new Tensor(prediction));
  }
  return { leaves: [...found].map(([v, tensor]) => ({ value: v, tensor })), predictions };
}

/** Larger predictions (the logits of a language model) are worth no extra copy in every step. */
const maxPrediction = 1 << 20;
const predictionOf = new WeakMap<Value, Value>();
const carried = new WeakSet<Value>();
const carriedWith = new WeakMap<Value, Value[]>();

/**
 * Says that `state` outlives the optimiser's step: the hidden state of a recurrence, from which the next piece of a long
 * sequence goes on (`h = h.detach()`). The program of a backward that passes its node delivers it too.
 * @param output what the loss may be computed from instead, if the state is none of its parts
 * @returns the state.
 */
export function carryOver(state: Tensor, output?: Tensor): Tensor {
  carried.add(state.value);
  if (output) {
    const states = carriedWith.get(output.value) ?? [];
    states.push(state.value);
    carriedWith.set(output.value, states);
  }
  return state;
}

/**
 * Says that `loss` was computed from `prediction`, which the program of the loss's backward then delivers too: training
 * loops read it after the optimiser's step, for accuracy, when it could no longer be computed. @returns the loss.
 */
export function lossOf(loss: Tensor, prediction: Tensor): Tensor {
  if (loss.value.node && prediction.value.node && prediction.numel() <= maxPrediction)
    predictionOf.set(loss.value.node.outputs[0], prediction.value);
  return loss;
}

export interface GradCallOptions {
  gradOutputs?: readonly (Tensor | undefined)[];
  /** Keep the gradients differentiable, for second derivatives. */
  createGraph?: boolean;
  /** Give zeros where an input does not influence the outputs, instead of an error. */
  allowUnused?: boolean;
}

/**
 * Gradients of `outputs` (summed, weighted by gradOutputs) with respect to `inputs`, without touching `.grad`
 * (torch.autograd.grad). Gradients have the shapes of the inputs.
 * @throws GradientError if an input does not require grad, or does not influence the outputs and allowUnused is not set.
 */
export function grad(outputs: Tensor | readonly Tensor[], inputs: Tensor, options?: GradCallOptions): Tensor;
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
  options?: GradCallOptions,
): Tensor[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradCallOptions = {},
): Tensor | Tensor[] {
  const outs = outputs instanceof Tensor ? [outputs] : outputs;
  const ins = inputs instanceof Tensor ? [inputs] : inputs;
  const found = gradValues(
    outs.map((t) => t.value),
    ins.map((t) => t.value),
    { gradOutputs: options.gradOutputs?.map((t) => t?.value) ?? [], createGraph: options.createGraph ?? false },
  );
  const result = found.map((value, i) => {
    if (value) return new Tensor(value);
    if (options.allowUnused) return ins[i].mul(0).detach();
    throw new GradientError(
      `input ${i} (${ins[i]}) does not influence the outputs; leave it out, or pass { allowUnused: true } for zeros`,
    );
  });
  return inputs instanceof Tensor ? result[0] : result;
}

/** Runs `fn` without recording for differentiation (torch.no_grad). Synchronous: build the graph inside, await outside. */
export function noGrad<T>(fn: () => T): T {
  return withGrad(false, fn);
}

/** Runs `fn` with recording on, inside a noGrad. */
export function enableGrad<T>(fn: () => T): T {
  return withGrad(true, fn);
}

/**
 * Runs `fn` so that what it computes is not kept for the backward pass but computed again there: less memory for more time
 * (torch.utils.checkpoint.checkpoint). Random masks come out the same both times.
 */
export function checkpoint<A extends readonly Tensor[], R extends Tensor | readonly Tensor[]>(
  fn: (...inputs: A) => R,
  ...inputs: A
): R {
  return asSegment(() => fn(...inputs));
}
