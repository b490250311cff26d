/** @file compile: a function of tensors traced once per input signature, then replayed without building graph. */
import type { NumericArray } from '../ir/dtype.ts';
import { ArgumentError, DTypeError, GradusError, ShapeError } from '../ir/errors.ts';
import type { Leaf } from '../ir/graph.ts';
import { formatShape } from '../ir/shape.ts';
import { userSite } from '../ir/site.ts';
import { getDevice } from '../runtime/device.ts';
import { type Assignment, dropAssignments, takeAssignments } from './assignments.ts';
import { discardBackward } from './autograd.ts';
import { fromData } from './creation.ts';
import type { Executable } from './executable.ts';
import { buildExecutable, commit, exclusively, flushPending, prepare } from './realize.ts';
import { ScalarLeaf, StorageLeaf } from './storage.ts';
import { Tensor } from './tensor.ts';
import { type TreeForm, takeApart } from './tree.ts';

interface Trace {
  readonly hooks: (() => void)[];
  /** What puts things back if the trace fails. */
  readonly undo: (() => void)[];
  /** The tensors that stand for the arguments. */
  readonly inputs: readonly Tensor[];
  readonly checks: ArgumentCheck[];
}

/** What must hold of an argument's elements in every run. */
interface ArgumentCheck {
  readonly argument: number;
  readonly check: (data: NumericArray) => void;
}

let current: Trace | null = null;

/** Whether operations are being recorded by `compile`; optimisers then leave running to the compiled function. */
export function isTracing(): boolean {
  return current !== null;
}

/**
 * Registers what must happen before each further run of the function being traced (the next step number, say), and what
 * takes the first time back if tracing fails.
 */
export function onReplay(hook: () => void, undo: () => void): void {
  current?.hooks.push(hook);
  current?.undo.push(undo);
}

/**
 * Lets `check` see the elements of a compiled function's argument in each further run (labels in range, say). Tensors that
 * are no arguments are left alone.
 */
export function onReplayArgument(tensor: Tensor, check: (data: NumericArray) => void): void {
  const argument = current?.inputs.findIndex((input) => input.storage === tensor.storage) ?? -1;
  if (argument < 0) return;
  const site = userSite();
  const sited = (data: NumericArray) => {
    try {
      check(data);
    } catch (error) {
      // The run was asked for elsewhere; what is wrong was written where the function is.
      if (site && error instanceof GradusError)
        error.message = `${error.message.split('\n    at ')[0]}\n    at ${site}`;
      throw error;
    }
  };
  current?.checks.push({ argument, check: sited });
}

interface Entry {
  readonly checks: readonly ArgumentCheck[];
  readonly executable: Executable;
  readonly leaves: Leaf[];
  readonly parameters: readonly (number | null)[];
  readonly hooks: readonly (() => void)[];
  readonly assignments: readonly Assignment[];
  readonly form: TreeForm;
  readonly device: string;
}

/**
 * Traces `fn` once per signature of its arguments (shapes and dtypes of the tensors, names and lengths of the records and
 * arrays they stand in) and afterwards only runs the program, with the
 * new arguments, fresh random seeds and the optimiser's next numbers. JavaScript side effects of `fn` happen on the first
 * call only; everything it depends on besides its arguments must be parameters, buffers or constants.
 *
 * ```ts
 * const step = compile(async (x, y) => {
 *   optimizer.zeroGrad();
 *   const loss = F.crossEntropy(model.forward(x), y);
 *   loss.backward();
 *   await optimizer.step();
 *   return loss;
 * });
 * const loss = await step(x, y);
 * ```
 * Arguments and result are tensors, or arrays and records of tensors, such as a batch and the outputs of a model.
 * @throws ArgumentError if `fn` reads a tensor's elements while it is traced, or for arguments or a result with anything
 * but tensors in it.
 */
export function compile<A extends Tensor[], R extends object>(
  fn: (...args: A) => R | Promise<R>,
): (...args: A) => Promise<R>;
export function compile<A extends (object | undefined)[], R extends object>(
  fn: (...args: A) => R | Promise<R>,
): (...args: A) => Promise<R>;
export function compile<A extends (object | undefined)[], R extends object>(
  fn: (...args: A) => R | Promise<R>,
): (...args: A) => Promise<R> {
  const entries = new Map<string, Entry>();
  return async (...given) => {
    const args: Tensor[] = [];
    const forms = given.map((tree, i) => takeApart(tree, `argument ${i + 1}`, args));
    const key = forms.map(({ signature }) => signature).join();
    // Waiting for other programs breaks the chain of callers, so a program that may have to be made looks for them now.
    const site = entries.has(key) ? undefined : userSite();
    return await exclusively(async () => {
      const known = entries.get(key);
      if (known && known.device === getDevice()) return (await replay(known, args)) as R;
      const traced = (inputs: readonly Tensor[]) => fn(...(forms.map(rebuildFrom(inputs)) as A));
      const entry = await trace(traced, args).catch((error: unknown) => {
        throw located(error, site);
      });
      entries.set(key, entry);
      return (await run(entry)) as R;
    });
  };
}

/** The error, with the line from which the compiled function was called unless it names a nearer one. */
function located(error: unknown, site: string | undefined): unknown {
  const isMismatch = error instanceof ShapeError || error instanceof DTypeError;
  if (isMismatch && site && !error.message.includes('\n    at ')) error.message += `\n    at ${site}`;
  return error;
}

async function trace(
  fn: (inputs: readonly Tensor[]) => object | Promise<object>,
  args: readonly Tensor[],
): Promise<Entry> {
  if (current) throw new ArgumentError('a compiled function cannot be called while another is being traced');
  await flushPending(args);
  const inputs: Tensor[] = [];
  for (const t of args) inputs.push(await placeholder(t));
  const trace: Trace = { hooks: [], undo: [], inputs, checks: [] };
  current = trace;
  let result: object;
  try {
    result = await fn(inputs);
  } catch (error) {
    // What it has assigned before it failed must not happen later.
    abandon(trace, takeAssignments());
    throw error;
  } finally {
    current = null;
    discardBackward();
  }
  const assignments = takeAssignments();
  try {
    return await build(trace, inputs, result, assignments);
  } catch (error) {
    abandon(trace, assignments);
    throw error;
  }
}

function abandon(trace: Trace, assignments: readonly Assignment[]): void {
  dropAssignments(assignments);
  for (const undo of trace.undo) undo();
}

async function build(
  trace: Trace,
  inputs: readonly Tensor[],
  result: object,
  assignments: readonly Assignment[],
): Promise<Entry> {
  const outputs: Tensor[] = [];
  const form = takeApart(result, 'the result', outputs);
  const plan = prepare(
    outputs.map((t) => t.value),
    assignments,
  );
  const storages = inputs.map((t) => t.storage);
  const parameters = plan.leaves.map((leaf) => {
    const at = leaf instanceof StorageLeaf ? storages.indexOf(leaf.storage) : -1;
    return at < 0 ? null : at;
  });
  const executable = await buildExecutable(plan);
  return {
    executable,
    leaves: [...plan.leaves],
    parameters,
    hooks: trace.hooks,
    checks: trace.checks,
    assignments,
    form,
    device: getDevice(),
  };
}

/** A tensor of its own storage with the argument's elements, so that leaves can be told apart. */
async function placeholder(argument: Tensor): Promise<Tensor> {
  const { storage } = argument;
  if (!storage) throw new ShapeError(`internal: argument ${formatShape(argument.shape)} was not realised`);
  return fromData(await storage.read(), argument.shape, { dtype: argument.dtype });
}

/** What puts tensors, one after the other, into the places of a form. */
function rebuildFrom(tensors: readonly Tensor[]): (form: TreeForm) => unknown {
  let at = 0;
  return ({ rebuild }) => rebuild(() => tensors[at++]);
}

async function replay(entry: Entry, args: readonly Tensor[]): Promise<unknown> {
  if (args.some((t) => !t.storage)) await flushPending(args);
  for (const { argument, check } of entry.checks) {
    const data = args[argument].storage?.host;
    if (data) check(data);
  }
  for (const hook of entry.hooks) hook();
  entry.leaves.forEach((leaf, i) => {
    const argument = entry.parameters[i];
    if (argument !== null) {
      const { storage } = args[argument];
      if (storage) entry.leaves[i] = new StorageLeaf(storage, storage.version);
    } else if (leaf instanceof ScalarLeaf && leaf.redraw) leaf.data[0] = leaf.redraw();
  });
  return await run(entry);
}

async function run(entry: Entry): Promise<unknown> {
  const storages = await entry.executable.run(entry.leaves);
  commit(entry.assignments);
  return rebuildFrom(storages.map((s) => new Tensor(s.value(false))))(entry.form);
}
