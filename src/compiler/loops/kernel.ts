/** @file Loop kernels: elementwise float32 programs in single-assignment form, checked and expanded to machine operations. */
import { ArgumentError } from '../../ir/errors.ts';

/** `round` is to the nearest even; `sign` and `relu` let NaN through, as ONNX Runtime does; sign(-0) and relu(-0) are 0. */
export type UnaryLoopOp =
  | 'neg'
  | 'abs'
  | 'sqrt'
  | 'square'
  | 'reciprocal'
  | 'sign'
  | 'relu'
  | 'floor'
  | 'ceil'
  | 'round'
  | 'trunc';

/** Arithmetic gives numbers; `min` and `max` give NaN where either operand is NaN, and order -0 below 0. */
export type ArithmeticLoopOp = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max';

/** Comparisons give masks; a comparison with NaN is false. */
export type ComparisonLoopOp = 'less' | 'greater' | 'lessOrEqual' | 'greaterOrEqual' | 'equal';

export type BinaryLoopOp = ArithmeticLoopOp | ComparisonLoopOp;

/** One instruction; `a`, `b` and `mask` are indices of earlier instructions. */
export type LoopInstruction =
  | { op: 'load'; array: number }
  | { op: 'scalar'; index: number }
  | { op: 'const'; value: number }
  | { op: UnaryLoopOp; a: number }
  | { op: BinaryLoopOp; a: number; b: number }
  | { op: 'and' | 'or'; a: number; b: number }
  | { op: 'not'; a: number }
  | { op: 'select'; mask: number; a: number; b: number };

/**
 * A program run for each element i = 0..n-1. All loads of an element come before its stores, so that an array may be read
 * and stored (update in place). Two operand arrays must be the same memory or not overlap at all.
 */
export interface LoopKernel {
  /** Number of operand arrays, float32. */
  arrays: number;
  /** Number of run-time scalars, rounded to float32 when passed. */
  scalars: number;
  body: LoopInstruction[];
  stores: { array: number; value: number }[];
}

/** What every loop computes with: operations that are one WebAssembly instruction each. */
export type MachineOp =
  | { op: 'load'; array: number }
  | { op: 'scalar'; index: number }
  | { op: 'const'; value: number }
  | { op: Exclude<UnaryLoopOp, 'square' | 'reciprocal' | 'sign' | 'relu'> | 'not'; args: [number] }
  | { op: BinaryLoopOp | 'and' | 'or'; args: [number, number] }
  /** args[2] is the mask. */
  | { op: 'select'; args: [number, number, number] };

export interface MachineLoop {
  ops: MachineOp[];
  stores: { array: number; value: number }[];
}

const unary = new Set<string>(
  'neg abs sqrt square reciprocal sign relu floor ceil round trunc'.split(' ') satisfies string[],
);
const arithmetic = new Set<string>('add sub mul div min max'.split(' '));
const comparisons = new Set<string>('less greater lessOrEqual greaterOrEqual equal'.split(' '));

/** Keeps emission (recursive along chains) off the end of the stack; an optimiser formula has some 30 instructions. */
const maxInstructions = 2000;
/** Engines accept up to 1000 parameters of a function. */
const maxParameters = 900;

/**
 * Checks a kernel: indices in range, operands defined earlier, numbers and masks where they belong.
 * @throws ArgumentError naming the instruction.
 */
export function checkKernel(kernel: LoopKernel): void {
  const { arrays, scalars, body, stores } = kernel;
  const isMask: boolean[] = [];
  const fail = (where: string, what: string): never => {
    throw new ArgumentError(`loop kernel: ${where} ${what}`);
  };
  const inRange = (index: number, count: number) => Number.isInteger(index) && index >= 0 && index < count;
  if (!inRange(arrays, maxParameters) || !inRange(scalars, maxParameters) || arrays + scalars >= maxParameters)
    fail('', `has ${arrays} arrays and ${scalars} scalars; expected fewer than ${maxParameters} together`);
  if (body.length > maxInstructions)
    fail('', `has ${body.length} instructions; at most ${maxInstructions} are supported: split the formula`);
  body.forEach((instruction, k) => {
    const where = `instruction ${k} (${instruction.op})`;
    const operand = (index: number, mask: boolean) => {
      if (!inRange(index, k)) fail(where, `refers to ${index}; expected an earlier instruction, 0 to ${k - 1}`);
      if (isMask[index] !== mask)
        fail(
          where,
          `needs ${mask ? 'a mask' : 'numbers'}; instruction ${index} (${body[index].op}) gives the other kind`,
        );
    };
    let mask = false;
    if (instruction.op === 'load') {
      if (!inRange(instruction.array, arrays)) fail(where, `loads array ${instruction.array} of ${arrays}`);
    } else if (instruction.op === 'scalar') {
      if (!inRange(instruction.index, scalars)) fail(where, `reads scalar ${instruction.index} of ${scalars}`);
    } else if (instruction.op === 'const') {
      if (typeof instruction.value !== 'number') fail(where, 'has no value');
    } else if (instruction.op === 'select') {
      operand(instruction.mask, true);
      operand(instruction.a, false);
      operand(instruction.b, false);
    } else if (instruction.op === 'and' || instruction.op === 'or' || instruction.op === 'not') {
      mask = true;
      operand(instruction.a, true);
      if ('b' in instruction) operand(instruction.b, true);
    } else if ('b' in instruction) {
      mask = comparisons.has(instruction.op);
      if (!mask && !arithmetic.has(instruction.op)) fail(where, 'is not a known operation');
      operand(instruction.a, false);
      operand(instruction.b, false);
    } else {
      if (!unary.has(instruction.op)) fail(where, 'is not a known operation');
      operand(instruction.a, false);
    }
    isMask.push(mask);
  });
  if (!stores.length) fail('', 'stores nothing');
  const stored = new Set<number>();
  for (const { array, value } of stores) {
    const where = `the store to array ${array}`;
    if (!inRange(array, arrays)) fail(where, `is out of range: there are ${arrays} arrays`);
    if (stored.has(array)) fail(where, 'appears twice');
    stored.add(array);
    if (!inRange(value, body.length)) fail(where, `refers to instruction ${value} of ${body.length}`);
    if (isMask[value]) fail(where, `needs numbers; instruction ${value} (${body[value].op}) gives a mask`);
  }
}

/**
 * The kernel in machine operations: square, reciprocal, relu and sign written out, equal leaves shared.
 * @throws ArgumentError as {@link checkKernel} does.
 */
export function expandKernel(kernel: LoopKernel): MachineLoop {
  checkKernel(kernel);
  const ops: MachineOp[] = [];
  const leaves = new Map<string, number>();
  const push = (op: MachineOp) => ops.push(op) - 1;
  const leaf = (key: string, op: MachineOp) => {
    const known = leaves.get(key);
    if (known !== undefined) return known;
    const index = push(op);
    leaves.set(key, index);
    return index;
  };
  const number = (value: number) => leaf(`c${constantKey(value)}`, { op: 'const', value });
  const place: number[] = [];
  for (const instruction of kernel.body) place.push(expand(instruction));
  return { ops, stores: kernel.stores.map(({ array, value }) => ({ array, value: place[value] })) };

  function expand(i: LoopInstruction): number {
    switch (i.op) {
      case 'load':
        return leaf(`l${i.array}`, { op: 'load', array: i.array });
      case 'scalar':
        return leaf(`s${i.index}`, { op: 'scalar', index: i.index });
      case 'const':
        return number(Math.fround(i.value));
      case 'select':
        return push({ op: 'select', args: [place[i.a], place[i.b], place[i.mask]] });
      case 'square':
        return push({ op: 'mul', args: [place[i.a], place[i.a]] });
      case 'reciprocal':
        return push({ op: 'div', args: [number(1), place[i.a]] });
      case 'relu':
        return push({ op: 'max', args: [place[i.a], number(0)] });
      case 'sign': {
        const x = place[i.a];
        // x + 0 is 0 for both zeros and NaN for NaN.
        const zeroOrNaN = push({ op: 'add', args: [x, number(0)] });
        const negative = push({ op: 'less', args: [x, number(0)] });
        const positive = push({ op: 'greater', args: [x, number(0)] });
        const notPositive = push({ op: 'select', args: [number(-1), zeroOrNaN, negative] });
        return push({ op: 'select', args: [number(1), notPositive, positive] });
      }
      default:
        return 'b' in i ? push({ op: i.op, args: [place[i.a], place[i.b]] }) : push({ op: i.op, args: [place[i.a]] });
    }
  }
}

function constantKey(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** A string that is equal for kernels of equal content. */
export function kernelKey(kernel: LoopKernel): string {
  return JSON.stringify(kernel, (_, value) => (typeof value === 'number' ? constantKey(value) : value));
}
