/** @file A compiled program bound to positions: which inputs it reads, which outputs go where, which loops run after it. */

import { emitModel } from '../compiler/emit.ts';
import { type FusedLoop, fuseAssignments } from '../compiler/fuse-assignments.ts';
import type { LinearGraph } from '../compiler/linearize.ts';
import { arenaOf } from '../compiler/loops/arena.ts';
import { instantiateLoop } from '../compiler/loops/run.ts';
import { compileGraph, hasConvolution, opsetFor, programInput } from '../compiler/pipeline.ts';
import { dtypes } from '../ir/dtype.ts';
import { EngineError } from '../ir/errors.ts';
import type { Leaf, Value } from '../ir/graph.ts';
import { channelBlock } from '../runtime/channel-block.ts';
import type { Engine, EngineProgram, EngineTensor } from '../runtime/engine.ts';
import { CompileObserver, debugLevel } from './debug.ts';
import { explainRun, type IndexingNodes, indexingNodes } from './out-of-range.ts';
import { placeTogether, unplace } from './placement.ts';
import { ScalarLeaf, Storage, StorageLeaf } from './storage.ts';

/** An operand of a loop: input i of the program, or output i of its graph. */
type Position = { readonly from: 'input' | 'output'; readonly at: number };

interface PlacedLoop {
  readonly loop: FusedLoop;
  readonly arrays: readonly Position[];
  readonly scalars: readonly Position[];
}

/** Bytes of intermediate results from which a program counts as large. */
const largeProgram = 128 * 2 ** 20;

/**
 * The one large program that keeps its memory between runs. A training run over batches of several lengths has a program
 * for each; if all kept theirs, they would need the sum instead of the largest. Sharing costs about a twentieth of the time.
 */
let ownerOfMemory: WeakRef<Executable> | undefined;

const bytesOf = (values: readonly Value[]) => values.reduce((n, v) => n + v.size * dtypes[v.dtype].bytes, 0);

/** What to compute: values to deliver, and storages (as inputs of the graph) to overwrite. */
export interface Request {
  readonly graph: LinearGraph;
  readonly wanted: readonly Value[];
  readonly assignments: readonly { readonly target: Value; readonly value: Value }[];
  readonly resolve: (value: Value) => Value;
}

/** One compiled program. Runs again and again with other leaves of the same types. */
export class Executable {
  readonly #engine: Engine;
  readonly #program: EngineProgram | null;
  readonly #graphInputs: readonly number[];
  readonly #wanted: readonly number[];
  readonly #loops: readonly PlacedLoop[];
  /** Output position -> scratch: memory of its own beside the storage at input `owner`. */
  readonly #scratch: readonly ({ owner: number; slot: string } | null)[];
  readonly #swaps: readonly { input: number; output: number }[];
  readonly #outputs: readonly Value[];
  readonly #isSwap: readonly boolean[];
  readonly #indexing: IndexingNodes;

  private constructor(
    engine: Engine,
    program: EngineProgram | null,
    plan: Plan,
    graphInputs: readonly number[],
    indexing: IndexingNodes,
  ) {
    this.#indexing = indexing;
    this.#engine = engine;
    this.#program = program;
    this.#graphInputs = graphInputs;
    this.#wanted = plan.wanted;
    this.#loops = plan.loops;
    this.#scratch = plan.scratch;
    this.#swaps = plan.swaps;
    this.#outputs = plan.outputs;
    this.#isSwap = plan.outputs.map((_, i) => plan.swaps.some((s) => s.output === i));
  }

  static async build(request: Request, engine: Engine): Promise<Executable> {
    const plan = makePlan(request, engine);
    const observer = new CompileObserver(request.graph);
    const block = hasConvolution(plan.outputs, request.resolve) ? await channelBlock(engine) : 0;
    const target = { device: engine.device, channelBlock: block };
    const compiled = compileGraph(plan.outputs, target, request.resolve, (name, outputs) =>
      observer.pass(name, outputs),
    );
    if (!compiled.outputs.length) return new Executable(engine, null, plan, [], new Map());
    const used = new Set<Value>(compiled.outputs);
    for (const node of compiled.nodes) for (const v of node.inputs) if (v) used.add(v);
    const graphInputs = request.graph.inputs.flatMap((v, i) => (used.has(programInput(v, target)) ? [i] : []));
    const model = emitModel(
      compiled.nodes,
      graphInputs.map((i) => programInput(request.graph.inputs[i], target)),
      compiled.outputs,
      opsetFor(compiled, target),
    );
    const isLarge = compiled.nodes.reduce((n, node) => n + bytesOf(node.outputs), 0) > largeProgram;
    const program = await engine.compile(model.bytes, model.inputNames, model.outputNames, {
      profile: debugLevel() >= 4,
      keep: keptOutputs(plan, engine),
      ownMemory: !isLarge || !ownerOfMemory?.deref(),
    });
    await observer.done(model.bytes, compiled.nodes.length);
    const indexing = indexingNodes(compiled.nodes, request.graph.nodes);
    const executable = new Executable(engine, program, plan, graphInputs, indexing);
    if (isLarge && !ownerOfMemory?.deref()) ownerOfMemory = new WeakRef(executable);
    return executable;
  }

  /**
   * Runs the program on the leaves of its inputs, in order; overwrites what is assigned.
   * @param graph what is to be computed, for errors, where it is not the graph from which the program was compiled
   * @returns a storage per wanted value.
   */
  async run(leaves: readonly Leaf[], graph?: LinearGraph): Promise<Storage[]> {
    const storageAt = (i: number): Storage => {
      const leaf = leaves[i];
      if (leaf instanceof StorageLeaf) return leaf.storage;
      throw new EngineError('internal: a loop operand is not a storage');
    };
    for (const leaf of leaves)
      if (leaf instanceof StorageLeaf && leaf.storage.isElsewhere(this.#engine)) await leaf.storage.read();
    this.#place(storageAt);
    const scratch = this.#scratch.map((s, i) => s && this.#scratchAt(i, storageAt));
    let results: EngineTensor[] = [];
    if (this.#program) {
      const inputs = this.#engine.sharesMemory
        ? this.#graphInputs.map((i) => this.#tensorOf(leaves[i]))
        : await this.#feed(leaves);
      const into = scratch.map((s) => s?.on(this.#engine) ?? null);
      for (const { input, output } of this.#swaps) into[output] = storageAt(input).spare;
      try {
        results = await this.#program.run(inputs, into);
      } catch (error) {
        throw explainRun(error, this.#indexing, graph?.nodes);
      }
    }
    // What is swapped in belongs to its storage alone.
    const outputs = scratch.map((s, i) => s ?? (this.#isSwap[i] ? null : this.#adopt(this.#outputs[i], results[i])));
    this.#runLoops(leaves, storageAt, outputs);
    for (const s of scratch) if (s) s.version++;
    for (const { input, output } of this.#swaps) {
      const storage = storageAt(input);
      if (!this.#engine.sharesMemory) unplace(storage);
      storage.replace(this.#engine, results[output]);
    }
    return this.#wanted.map((i) => present(outputs[i]));
  }

  #tensorOf(leaf: Leaf): EngineTensor {
    if (leaf instanceof StorageLeaf) return leaf.storage.on(this.#engine);
    if (leaf instanceof ScalarLeaf) return leaf.on(this.#engine);
    throw new EngineError(`internal: an input of kind ${leaf.leaf} cannot be fed`);
  }

  async #feed(leaves: readonly Leaf[]): Promise<EngineTensor[]> {
    const inputs: EngineTensor[] = [];
    for (const i of this.#graphInputs) {
      const leaf = leaves[i];
      inputs.push(leaf instanceof StorageLeaf ? await leaf.storage.feedTo(this.#engine) : this.#tensorOf(leaf));
    }
    return inputs;
  }

  #adopt(value: Value, tensor: EngineTensor): Storage {
    return Storage.onDevice(value.dtype, value.shape, this.#engine, tensor);
  }

  #scratchAt(output: number, storageAt: (i: number) => Storage): Storage {
    const place = this.#scratch[output];
    if (!place) throw new EngineError('internal: a loop operand has no memory');
    const { dtype, shape } = this.#outputs[output];
    return storageAt(place.owner).scratch(place.slot, dtype, shape);
  }

  #place(storageAt: (i: number) => Storage): void {
    for (const { arrays } of this.#loops)
      placeTogether(arrays.map((p) => (p.from === 'input' ? storageAt(p.at) : this.#scratchAt(p.at, storageAt))));
  }

  #runLoops(leaves: readonly Leaf[], storageAt: (i: number) => Storage, outputs: readonly (Storage | null)[]) {
    for (const { loop, arrays, scalars } of this.#loops) {
      const pointers: number[] = [];
      let arena: ReturnType<typeof arenaOf>;
      for (const p of arrays) {
        const host = (p.from === 'input' ? storageAt(p.at) : present(outputs[p.at])).host;
        arena ??= host ? arenaOf(host) : undefined;
        pointers.push(host?.byteOffset ?? 0);
      }
      if (!arena) throw new EngineError('internal: a loop operand lies outside of its arena');
      const numbers: number[] = [];
      for (const p of scalars) {
        const leaf = p.from === 'input' ? leaves[p.at] : null;
        if (leaf instanceof ScalarLeaf) numbers.push(leaf.data[0]);
        else
          numbers.push((leaf instanceof StorageLeaf ? leaf.storage : present(outputs[p.at])).host?.[0] ?? Number.NaN);
      }
      instantiateLoop(loop.kernel, arena.memory)(pointers, loop.size, numbers);
      for (const { array } of loop.writes) storageAt(arrays[array].at).overwritten();
    }
  }

  async dispose(): Promise<void> {
    if (ownerOfMemory?.deref() === this) ownerOfMemory = undefined;
    await this.#program?.dispose();
  }
}

function present(storage: Storage | null): Storage {
  if (!storage) throw new EngineError('internal: an output of a program is missing');
  return storage;
}

interface Plan {
  outputs: Value[];
  wanted: number[];
  loops: PlacedLoop[];
  scratch: ({ owner: number; slot: string } | null)[];
  swaps: { input: number; output: number }[];
}

/** Up to this many elements (losses, counts, metrics) an output of a device comes to the host by itself. */
const readLimit = 4096;

/** Which outputs stay on a device with memory of its own: state, and what is too large to be a number someone reads. */
function keptOutputs(plan: Plan, engine: Engine): boolean[] {
  const state = new Set(plan.swaps.map((s) => s.output));
  return plan.outputs.map((v, i) => engine.holds(v.dtype) && (state.has(i) || v.size > readLimit));
}

const slotName = (array: number) => `loop${array}`;

/** Decides what the graph delivers and what loops do afterwards. */
function makePlan({ graph, wanted, assignments, resolve }: Request, engine: Engine): Plan {
  const inputAt = new Map(graph.inputs.map((v, i) => [v, i]));
  const outputs: Value[] = [];
  const outputAt = (value: Value): number => {
    const at = outputs.indexOf(value);
    return at >= 0 ? at : outputs.push(value) - 1;
  };
  const plan: Plan = { outputs, wanted: wanted.map((v) => outputAt(resolve(v))), loops: [], scratch: [], swaps: [] };
  const isWanted = new Set(wanted.map(resolve));
  const all = assignments.map((_, i) => i);
  const fused = engine.sharesMemory ? fuseAssignments(assignments, isWanted, resolve) : { loops: [], rest: all };
  const position = (value: Value): Position => {
    const at = inputAt.get(value);
    return at === undefined ? { from: 'output', at: outputAt(value) } : { from: 'input', at };
  };
  const scratch = new Map<number, { owner: number; slot: string }>();
  for (const loop of fused.loops) {
    const owner = inputAt.get(assignments[loop.writes[0].assignment].target) ?? 0;
    const arrays = loop.arrays.map(position);
    arrays.forEach((p, k) => {
      if (p.from === 'output' && !scratch.has(p.at)) scratch.set(p.at, { owner, slot: slotName(k) });
    });
    plan.loops.push({ loop, arrays, scalars: loop.scalars.map(position) });
  }
  for (const i of fused.rest) {
    const output = outputs.push(resolve(assignments[i].value)) - 1;
    plan.swaps.push({ input: inputAt.get(assignments[i].target) ?? 0, output });
  }
  plan.scratch = outputs.map((_, i) => scratch.get(i) ?? null);
  return plan;
}
