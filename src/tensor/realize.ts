/** @file Realisation: one program for the requested tensors together with all pending assignments. */
import { type LinearGraph, linearize } from '../compiler/linearize.ts';
import { ArgumentError, StaleTensorError } from '../ir/errors.ts';
import type { Leaf, Value } from '../ir/graph.ts';
import { formatShape } from '../ir/shape.ts';
import { getEngine } from '../runtime/device.ts';
import { type Assignment, dropAssignments, takeAssignments } from './assignments.ts';
import { ownValue, takeBackward } from './autograd.ts';
import { Executable } from './executable.ts';
import { type Storage, StorageLeaf } from './storage.ts';
import type { Tensor } from './tensor.ts';
import { isTracing } from './tracing.ts';

/** Programs kept per process; the least recently used goes. */
const maxPrograms = 64;
const programs = new Map<string, Executable>();
let queue: Promise<unknown> = Promise.resolve();

/** What a value stands for in a new program: the leaf that already holds it, or itself. */
export function resolve(value: Value): Value {
  const leaf = value.realized?.leaf;
  return leaf instanceof StorageLeaf && leaf.isCurrent && value.realized ? value.realized : value;
}

/**
 * Computes tensors and applies all pending assignments in one run.
 * @throws StaleTensorError if a tensor was built on elements that have since been overwritten.
 */
export async function realizeValues(tensors: readonly Tensor[]): Promise<void> {
  // Another task may ask while a function is being traced: it waits. A traced function that waits for itself still stands
  // there when the event loop has come round.
  if (isTracing()) await new Promise((resolve) => setTimeout(resolve));
  if (isTracing())
    throw new ArgumentError(
      'elements cannot be read while compile() traces a function; return the tensor and read it from the compiled function',
    );
  await exclusively(() => realizeNow(tensors));
}

/** Runs one thing after the other: a second realisation sees the first one's results. */
export async function exclusively<T>(task: () => Promise<T>): Promise<T> {
  const turn = queue.then(task);
  queue = turn.catch(() => undefined);
  return await turn;
}

/** Computes what is pending, and the given tensors, before something else takes over; the caller holds the queue. */
export async function flushPending(tensors: readonly Tensor[]): Promise<void> {
  await realizeNow(tensors);
}

/** Computes several tensors (and all pending assignments) as one program and keeps the results. */
export async function realize(...tensors: readonly Tensor[]): Promise<void> {
  await realizeValues(tensors);
}

async function realizeNow(tensors: readonly Tensor[]): Promise<void> {
  const assignments = takeAssignments();
  const { wanted: fromBackward, spent } = takeBackward();
  const all = [...tensors, ...fromBackward];
  const wanted = [...new Set(all.map((t) => t.value).filter((v) => needsRun(v)))];
  if (!wanted.length && !assignments.length) return settle(all, spent);
  try {
    const plan = prepare(wanted, assignments);
    const executable = await findExecutable(plan);
    const storages = await executable.run(plan.leaves, plan.graph);
    wanted.forEach((value, i) => {
      value.realized = storages[i].value(false);
    });
    commit(assignments);
  } catch (error) {
    dropAssignments(assignments);
    throw error;
  }
  settle(all, spent);
}

function needsRun(value: Value): boolean {
  return resolve(value).leaf === null && value.constant === null;
}

/** Realised tensors that nobody can differentiate any more let go of the graph behind them. */
function settle(tensors: readonly Tensor[], spent: readonly Tensor[]): void {
  for (const tensor of tensors) {
    const leaf = resolve(tensor.value);
    if (leaf !== tensor.value && (!tensor.requiresGrad || spent.includes(tensor))) tensor.value = leaf;
  }
}

export interface PreparedProgram {
  readonly graph: LinearGraph;
  readonly leaves: readonly Leaf[];
  readonly wanted: readonly Value[];
  readonly assignments: readonly { readonly target: Value; readonly value: Value }[];
}

/** The canonical program for the wanted values and assignments, with its inputs checked. */
export function prepare(wanted: readonly Value[], assignments: readonly Assignment[]): PreparedProgram {
  const targets = assignments.map((a) => leafOf(a.storage));
  // An assigned storage that the graph reads too must appear as one input: leaves are told apart by storage.
  const leaves = new Map<Storage, Value>(targets.map((v, i) => [assignments[i].storage, v]));
  const canonical = (value: Value): Value => {
    const resolved = resolve(value);
    const { leaf } = resolved;
    if (!(leaf instanceof StorageLeaf) || !leaf.isCurrent) return resolved;
    const known = leaves.get(leaf.storage);
    if (known) return known;
    leaves.set(leaf.storage, resolved);
    return resolved;
  };
  const graph = linearize([...wanted, ...assignments.map((a) => a.value)], canonical, targets);
  return {
    graph,
    leaves: graph.inputs.map(checkedLeaf),
    wanted,
    assignments: assignments.map((a, i) => ({ target: targets[i], value: a.value })),
  };
}

function leafOf(storage: Storage): Value {
  return storage.value(false);
}

function checkedLeaf(value: Value): Leaf {
  const { leaf } = value;
  if (!leaf) throw new StaleTensorError(`internal: an input of shape ${formatShape(value.shape)} is bound to nothing`);
  if (leaf instanceof StorageLeaf && !leaf.isCurrent)
    throw new StaleTensorError(
      `a tensor was built on elements of shape ${formatShape(value.shape)} that have since been overwritten (by an optimiser step or assign()). Realise it before the step (await t.realize()), or build it again`,
    );
  return leaf;
}

async function findExecutable(plan: PreparedProgram): Promise<Executable> {
  const engine = await getEngine();
  const key = `${engine.device}|${plan.wanted.length}\n${plan.graph.key}`;
  let executable = programs.get(key);
  if (executable) programs.delete(key);
  else executable = await buildExecutable(plan);
  programs.set(key, executable);
  if (programs.size > maxPrograms) await evictOldest();
  return executable;
}

/** Compiles a prepared program, without caching it. */
export async function buildExecutable(plan: PreparedProgram): Promise<Executable> {
  const { graph, wanted, assignments } = plan;
  const leafFor = new Map(graph.inputs.map((v) => [leafIdentity(v), v]));
  const canonical = (value: Value): Value => {
    const resolved = resolve(value);
    return leafFor.get(leafIdentity(resolved)) ?? resolved;
  };
  return await Executable.build({ graph, wanted, assignments, resolve: canonical }, await getEngine());
}

function leafIdentity(value: Value): unknown {
  return value.leaf instanceof StorageLeaf ? value.leaf.storage : value;
}

async function evictOldest(): Promise<void> {
  const [oldest] = programs.entries();
  programs.delete(oldest[0]);
  await oldest[1].dispose();
}

/** Lets assigned tensors stand for their storages again, at the new version. */
export function commit(assignments: readonly Assignment[]): void {
  for (const { tensor, storage, value, requiresGrad } of assignments) {
    value.realized = storage.value(false);
    tensor.value.realized = value.realized;
    tensor.value = storage.value(requiresGrad);
    ownValue(tensor);
  }
}
