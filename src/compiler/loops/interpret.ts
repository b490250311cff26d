/** @file Runs a loop kernel in plain JavaScript: the reference for the emitted code, and the way without WebAssembly SIMD. */
import { ArgumentError } from '../../ir/errors.ts';
import { expandKernel, type LoopKernel, type MachineOp } from './kernel.ts';

/** Elements handled per instruction: small enough for the registers to stay in the first-level cache. */
const block = 256;

type Compute = (a: number, b: number) => number;

// Results land in Float32Arrays, which rounds each of them; for these operations rounding the float64 result of float32
// operands equals float32 arithmetic (53 >= 2 * 24 + 2 bits). Masks are 1 and 0.
const compute: Record<Exclude<MachineOp['op'], 'load' | 'scalar' | 'const' | 'select'>, Compute> = {
  neg: (a) => -a,
  abs: Math.abs,
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  round: roundToEven,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
  less: (a, b) => (a < b ? 1 : 0),
  greater: (a, b) => (a > b ? 1 : 0),
  lessOrEqual: (a, b) => (a <= b ? 1 : 0),
  greaterOrEqual: (a, b) => (a >= b ? 1 : 0),
  equal: (a, b) => (a === b ? 1 : 0),
  and: (a, b) => a * b,
  or: Math.max,
  not: (a) => 1 - a,
};

function roundToEven(x: number): number {
  // Float32 has no fractions from 2^23 on (and NaN and the infinities stay what they are).
  if (!(Math.abs(x) < 2 ** 23)) return x;
  const rounded = x + 1.5 * 2 ** 52 - 1.5 * 2 ** 52;
  return rounded === 0 ? x * 0 : rounded;
}

/**
 * Runs a kernel over the first n elements of the arrays, in place, with the results of the emitted module to the bit
 * (payloads of NaN aside).
 * @throws ArgumentError for a kernel that is not well formed or operands that do not fit it.
 */
export function interpretLoop(
  kernel: LoopKernel,
  arrays: readonly Float32Array[],
  n: number,
  scalars: readonly number[],
): void {
  const { ops, stores } = expandKernel(kernel);
  if (arrays.length !== kernel.arrays || scalars.length !== kernel.scalars)
    throw new ArgumentError(
      `the loop takes ${kernel.arrays} arrays and ${kernel.scalars} scalars; got ${arrays.length} and ${scalars.length}`,
    );
  for (const [i, array] of arrays.entries())
    if (array.length < n) throw new ArgumentError(`array ${i} has ${array.length} elements; the loop runs over ${n}`);
  const registers = ops.map((op) => {
    const register = new Float32Array(Math.min(block, n));
    if (op.op === 'const') register.fill(op.value);
    if (op.op === 'scalar') register.fill(scalars[op.index]);
    return register;
  });
  for (let start = 0; start < n; start += block) {
    const count = Math.min(block, n - start);
    for (let k = 0; k < ops.length; k++) {
      const op = ops[k];
      const out = registers[k];
      if (op.op === 'load') out.set(arrays[op.array].subarray(start, start + count));
      else if (op.op === 'select') {
        const [a, b, mask] = op.args.map((arg) => registers[arg]);
        for (let i = 0; i < count; i++) out[i] = mask[i] ? a[i] : b[i];
      } else if ('args' in op) {
        const apply = compute[op.op];
        const a = registers[op.args[0]];
        const b = registers[op.args[op.args.length - 1]];
        for (let i = 0; i < count; i++) out[i] = apply(a[i], b[i]);
      }
    }
    for (const { array, value } of stores) arrays[array].set(registers[value].subarray(0, count), start);
  }
}
