/** @file Compiles loop kernels and binds them to memories, each once. */
import { ArgumentError } from '../../ir/errors.ts';
import { emitLoop } from './emit.ts';
import { interpretLoop } from './interpret.ts';
import { checkKernel, kernelKey, type LoopKernel } from './kernel.ts';
import { I, lanes, moduleOf } from './wasm.ts';

/**
 * Runs a kernel over n elements. `pointers` are byte offsets of the operand arrays in the memory, in the kernel's order.
 * @throws ArgumentError where the operands do not fit the kernel or lie beyond the memory.
 */
export type BoundLoop = (pointers: readonly number[], n: number, scalars: readonly number[]) => void;

/** Formulas with changing constants (instead of run-time scalars) would fill the cache without end. */
const maxModules = 256;
const modules = new Map<string, WebAssembly.Module>();
const keys = new WeakMap<LoopKernel, string>();
const bound = new WeakMap<WebAssembly.Memory, Map<string, BoundLoop>>();

let simd: boolean | undefined;

/** Whether this engine runs 128-bit SIMD. */
export function hasSimd(): boolean {
  simd ??=
    typeof WebAssembly === 'object' &&
    WebAssembly.validate(moduleOf([], [0x7b], [...I.f32_const(1), ...I.f32x4_splat, ...lanes.sqrt, ...I.local_set(0)]));
  return simd;
}

/**
 * The kernel as a function over arrays in `memory`; without WebAssembly SIMD the interpreter behind the same face. Modules
 * are cached by the kernel's content, the bound functions by memory (and collected with it). The kernel must not be
 * changed afterwards.
 * @throws ArgumentError for a kernel that is not well formed.
 */
export function instantiateLoop(kernel: LoopKernel, memory: WebAssembly.Memory): BoundLoop {
  const key = keys.get(kernel) ?? kernelKey(kernel);
  keys.set(kernel, key);
  let loops = bound.get(memory);
  if (!loops) {
    loops = new Map();
    bound.set(memory, loops);
  }
  let loop = loops.get(key);
  if (!loop) {
    loop = bind(kernel, key, memory);
    if (loops.size >= maxModules) loops.clear();
    loops.set(key, loop);
  }
  return loop;
}

function moduleFor(kernel: LoopKernel, key: string): WebAssembly.Module {
  let module = modules.get(key);
  if (!module) {
    module = new WebAssembly.Module(emitLoop(kernel));
    if (modules.size >= maxModules) modules.clear();
    modules.set(key, module);
  }
  return module;
}

function bind(kernel: LoopKernel, key: string, memory: WebAssembly.Memory): BoundLoop {
  const { arrays, scalars: scalarCount } = kernel;
  checkKernel(kernel);
  let run: (pointers: readonly number[], n: number, scalars: readonly number[]) => void;
  if (hasSimd()) {
    const instance = new WebAssembly.Instance(moduleFor(kernel, key), { env: { memory } });
    const call = instance.exports.run as (...args: number[]) => void;
    run = (pointers, n, scalars) => call(...pointers, n, ...scalars);
  } else run = interpreted(kernel, memory);
  return (pointers, n, scalars) => {
    if (pointers.length !== arrays || scalars.length !== scalarCount)
      throw new ArgumentError(
        `the loop takes ${arrays} arrays and ${scalarCount} scalars; got ${pointers.length} and ${scalars.length}`,
      );
    if (!Number.isInteger(n) || n < 0) throw new ArgumentError(`the loop's length must be 0 or more; got ${n}`);
    const room = memory.buffer.byteLength - 4 * n;
    for (const pointer of pointers)
      if (!Number.isInteger(pointer) || pointer < 0 || pointer > room)
        throw new ArgumentError(
          `${n} elements at byte ${pointer} are beyond the memory of ${memory.buffer.byteLength} bytes`,
        );
    run(pointers, n, scalars);
  };
}

/** @returns the interpreter bound to a memory; pointers must then be multiples of 4. */
export function interpreted(kernel: LoopKernel, memory: WebAssembly.Memory): BoundLoop {
  return (pointers, n, scalars) => {
    for (const pointer of pointers)
      if (pointer % 4) throw new ArgumentError(`the array at byte ${pointer} is not aligned to 4 bytes`);
    const arrays = pointers.map((pointer) => new Float32Array(memory.buffer, pointer, n));
    interpretLoop(kernel, arrays, n, scalars);
  };
}
