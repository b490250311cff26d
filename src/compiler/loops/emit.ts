/** @file Emits a loop kernel as a WebAssembly module with 128-bit SIMD. */
import { expandKernel, type LoopKernel, type MachineOp } from './kernel.ts';
import { I, lanes, moduleOf, ValueType } from './wasm.ts';

/** How a pass over the elements reads, writes and steps. */
interface Pass {
  load: number[];
  store: number[];
  /** Elements per turn. */
  width: number;
}

// One vector per turn: AdamW waits for its divisions and square root (43 GB/s in and out of cache), and unrolling it 2 or
// 4 times changed nothing.
const wide: Pass = { load: I.v128_load, store: I.v128_store, width: 4 };
// The tail computes on vectors too, with one lane loaded and stored, so that there is one translation of each operation.
const tail: Pass = { load: I.v128_load32_zero, store: I.v128_store32_lane0, width: 1 };

/**
 * The module of a kernel: imports `env.memory` (non-shared), exports `run(pointer0, ..., n, scalar0, ...)`, where pointers
 * are byte offsets (multiples of 4 are fastest, nothing more is needed).
 * @throws ArgumentError for a kernel that is not well formed.
 */
export function emitLoop(kernel: LoopKernel): Uint8Array<ArrayBuffer> {
  const { ops, stores } = expandKernel(kernel);
  const uses = countUses(ops, stores);
  const parameters = [
    ...new Array<number>(kernel.arrays).fill(ValueType.i32),
    ValueType.i32,
    ...new Array<number>(kernel.scalars).fill(ValueType.f32),
  ];
  const n = kernel.arrays;
  const end = parameters.length;
  const locals: number[] = [ValueType.i32];
  const newLocal = () => parameters.length + locals.push(ValueType.v128) - 1;

  // Scalars and constants are splat once; values used twice or more get a local; all others stay on the stack.
  const code: number[] = [];
  const local = ops.map((op, k) => {
    const isLeaf = op.op === 'scalar' || op.op === 'const';
    if (!uses[k] || (!isLeaf && uses[k] === 1)) return -1;
    const index = newLocal();
    if (op.op === 'scalar') code.push(...I.local_get(n + 1 + op.index), ...I.f32x4_splat, ...I.local_set(index));
    if (op.op === 'const') code.push(...I.f32_const(op.value), ...I.f32x4_splat, ...I.local_set(index));
    return index;
  });

  code.push(...passOver(wide, -wide.width), ...passOver(tail, wide.width - 1));
  return moduleOf(parameters, locals, code);

  /** A loop over `n & mask` elements from where the pointers stand; advances the pointers. */
  function passOver(pass: Pass, mask: number): number[] {
    const out = [...I.local_get(n), ...I.i32_const(mask), ...I.i32_and, ...I.i32_const(2), ...I.i32_shl];
    out.push(...I.local_get(0), ...I.i32_add, ...I.local_set(end));
    out.push(...I.block, ...I.local_get(0), ...I.local_get(end), ...I.i32_eq, ...I.br_if(0), ...I.loop);
    out.push(...turn(pass));
    for (let array = kernel.arrays - 1; array >= 0; array--)
      out.push(...I.local_get(array), ...I.i32_const(4 * pass.width), ...I.i32_add, ...I.local_set(array));
    out.push(...I.local_get(0), ...I.local_get(end), ...I.i32_ne, ...I.br_if(0), ...I.end, ...I.end);
    return out;
  }

  function turn(pass: Pass): number[] {
    const out: number[] = [];
    const done = new Set<number>();
    // Addresses and values pile up on the stack and are stored last to first: every load comes before every store.
    for (const store of stores) {
      out.push(...I.local_get(store.array));
      evaluate(store.value);
    }
    for (let i = 0; i < stores.length; i++) out.push(...pass.store);
    return out;

    function evaluate(k: number): void {
      const op = ops[k];
      if (op.op === 'scalar' || op.op === 'const' || done.has(k)) {
        out.push(...I.local_get(local[k]));
        return;
      }
      if (op.op === 'load') out.push(...I.local_get(op.array), ...pass.load);
      else {
        for (const arg of op.args) evaluate(arg);
        out.push(...lanes[op.op]);
      }
      if (local[k] >= 0) {
        out.push(...I.local_tee(local[k]));
        done.add(k);
      }
    }
  }
}

/** How often each operation's result is wanted by stores and by operations that are themselves wanted. */
function countUses(ops: readonly MachineOp[], stores: readonly { value: number }[]): number[] {
  const uses = new Array<number>(ops.length).fill(0);
  for (const { value } of stores) uses[value]++;
  for (let k = ops.length - 1; k >= 0; k--) {
    const op = ops[k];
    if (uses[k] && 'args' in op) for (const arg of op.args) uses[arg]++;
  }
  return uses;
}
