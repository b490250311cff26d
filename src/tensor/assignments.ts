/** @file Assignments that wait for the next realisation. */
import { ArgumentError } from '../ir/errors.ts';
import { Node, Value } from '../ir/graph.ts';
import { identity } from '../ops/cast.ts';
import { where } from '../ops/compare.ts';
import { withGrad } from '../ops/define.ts';
import { ownValue } from './autograd.ts';
import type { Storage } from './storage.ts';
import type { Tensor } from './tensor.ts';

export interface Assignment {
  readonly tensor: Tensor;
  readonly storage: Storage;
  value: Value;
  readonly requiresGrad: boolean;
}

const pending = new Map<Tensor, Assignment>();

/** Lets `tensor` stand for `value` now and hold it after the next realisation. */
export function recordAssignment(tensor: Tensor, value: Value): void {
  const before = pending.get(tensor);
  if (before) before.value = value;
  else {
    const storage = tensor.storage;
    if (!storage)
      throw new ArgumentError(
        'assign() needs a tensor that holds elements of its own: a parameter, a buffer, or one realised before',
      );
    pending.set(tensor, { tensor, storage, value, requiresGrad: tensor.requiresGrad });
  }
  tensor.value = tensor.requiresGrad && !value.requiresGrad ? asLeaf(value) : value;
  ownValue(tensor);
}

/** The storage that a tensor holds, or will hold its assigned elements in; null for computed tensors. */
export function storageOf(tensor: Tensor): Storage | null {
  return pending.get(tensor)?.storage ?? tensor.storage;
}

/** Switches requiresGrad of a tensor whose assignment is pending. @returns false if none is. */
export function setPendingRequiresGrad(tensor: Tensor, requiresGrad: boolean): boolean {
  const assignment = pending.get(tensor);
  if (!assignment) return false;
  pending.set(tensor, { ...assignment, requiresGrad });
  tensor.value = requiresGrad ? asLeaf(assignment.value) : assignment.value;
  ownValue(tensor);
  return true;
}

/** A value that can be differentiated with respect to, though it is computed: what an assigned parameter stands for. */
function asLeaf(value: Value): Value {
  const node = new Node(identity.definition, [value], {}, undefined);
  node.outputs = [Value.output(value, node, 0, true)];
  return node.outputs[0];
}

/**
 * Lets all pending assignments happen only if `ok` (a bool scalar) turns out true when the program runs; otherwise every
 * storage keeps its elements. A training step whose gradient is not finite then changes nothing.
 */
export function guardAssignments(ok: Value): void {
  withGrad(false, () => {
    for (const [tensor, { storage, value, requiresGrad }] of [...pending]) {
      pending.delete(tensor);
      tensor.value = storage.value(requiresGrad);
      recordAssignment(tensor, where(ok, value, storage.value(false)));
    }
  });
}

/** Drops a pending assignment. @returns the tensor's storage. */
export function forgetAssignment(tensor: Tensor): Storage {
  const before = pending.get(tensor);
  pending.delete(tensor);
  const storage = before?.storage ?? tensor.storage;
  if (!storage) throw new ArgumentError('the tensor holds no elements of its own yet; realize it first');
  return storage;
}

/** Takes all pending assignments; they are no longer pending. */
export function takeAssignments(): Assignment[] {
  const all = [...pending.values()];
  pending.clear();
  return all;
}

/** Puts assignments back after a failed realisation, so that nothing is half applied. */
export function dropAssignments(assignments: readonly Assignment[]): void {
  for (const { tensor, storage, requiresGrad } of assignments) {
    tensor.value = storage.value(requiresGrad);
    ownValue(tensor);
  }
}
