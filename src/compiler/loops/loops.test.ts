/** @file The emitted loops against the interpreter, to the bit; and both against values known beforehand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../ir/errors.ts';
import { emitLoop } from './emit.ts';
import { interpretLoop } from './interpret.ts';
import type { LoopInstruction, LoopKernel, UnaryLoopOp } from './kernel.ts';
import { hasSimd, instantiateLoop, interpreted } from './run.ts';
import { signed, unsigned } from './wasm.ts';

const special = [
  NaN,
  Infinity,
  -Infinity,
  0,
  -0,
  1e-45,
  -1e-42,
  1.17549435e-38,
  3.4028235e38,
  0.5,
  1.5,
  2.5,
  -2.5,
  8388609,
];
const float = fc.oneof(
  fc.constantFrom(...special).map(Math.fround),
  fc.float(),
  fc.float({ min: -8, max: 8, noNaN: true }),
);
const arity = {
  1: 'neg abs sqrt square reciprocal sign relu floor ceil round trunc'.split(' '),
  2: 'add sub mul div min max'.split(' '),
  compare: 'less greater lessOrEqual greaterOrEqual equal'.split(' '),
};

/** Random kernels: a list of wishes, each turned into an instruction on operands of the right kind. */
const kernels: fc.Arbitrary<LoopKernel> = fc
  .record({
    arrays: fc.integer({ min: 1, max: 4 }),
    scalars: fc.integer({ min: 0, max: 3 }),
    wishes: fc.array(fc.tuple(fc.nat(99), fc.nat(1000), fc.nat(1000), fc.nat(1000), float), { maxLength: 30 }),
    stores: fc.array(fc.nat(1000), { minLength: 1, maxLength: 4 }),
  })
  .map(({ arrays, scalars, wishes, stores }) => {
    const body: LoopInstruction[] = [{ op: 'load', array: 0 }];
    const numbers = [0];
    const masks: number[] = [];
    for (const [kind, x, y, z, value] of wishes) {
      const a = numbers[x % numbers.length];
      const b = numbers[y % numbers.length];
      const push = (i: LoopInstruction, list: number[]) => list.push(body.push(i) - 1);
      if (kind < 15) push({ op: 'load', array: x % arrays }, numbers);
      else if (kind < 20 && scalars) push({ op: 'scalar', index: x % scalars }, numbers);
      else if (kind < 28) push({ op: 'const', value }, numbers);
      else if (kind < 50) push({ op: arity[1][z % 11] as UnaryLoopOp, a }, numbers);
      else if (kind < 72) push({ op: arity[2][z % 6] as 'add', a, b }, numbers);
      else if (kind < 82 || !masks.length) push({ op: arity.compare[z % 5] as 'less', a, b }, masks);
      else {
        const m = masks[z % masks.length];
        if (kind < 92) push({ op: 'select', mask: m, a, b }, numbers);
        else if (kind < 94) push({ op: 'not', a: m }, masks);
        else push({ op: kind < 97 ? 'and' : 'or', a: m, b: masks[x % masks.length] }, masks);
      }
    }
    // Later results first, so that most of the body counts.
    const values = stores.map((s, i) => numbers[numbers.length - 1 - ((s + i) % Math.min(5, numbers.length))]);
    return { arrays, scalars, body, stores: values.slice(0, arrays).map((value, array) => ({ array, value })) };
  });

function bits(array: Float32Array): Uint32Array {
  const copy = array.map((x) => (Number.isNaN(x) ? NaN : x));
  return new Uint32Array(copy.buffer);
}

/** Runs a kernel in WebAssembly on copies of the arrays, laid out with the given gaps, and returns them. */
function runWasm(kernel: LoopKernel, arrays: Float32Array[], n: number, scalars: number[], gap = 0): Float32Array[] {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const pointers: number[] = [];
  let at = 0;
  for (const array of arrays) {
    at += gap;
    new Uint8Array(memory.buffer).set(new Uint8Array(array.buffer, 0, array.byteLength), at);
    pointers.push(at);
    at += array.byteLength;
  }
  instantiateLoop(kernel, memory)(pointers, n, scalars);
  return arrays.map((a, i) => new Float32Array(memory.buffer.slice(pointers[i], pointers[i] + a.byteLength)));
}

function unary(op: UnaryLoopOp, values: number[]): number[] {
  const kernel: LoopKernel = {
    arrays: 1,
    scalars: 0,
    body: [
      { op: 'load', array: 0 },
      { op, a: 0 },
    ],
    stores: [{ array: 0, value: 1 }],
  };
  return [...runWasm(kernel, [new Float32Array(values)], values.length, [])[0]];
}

describe('emitted loops', () => {
  it('equal the interpreter to the bit on random kernels and arrays', () => {
    expect(hasSimd()).toBe(true);
    fc.assert(
      fc.property(
        kernels,
        fc.array(float, { minLength: 92, maxLength: 92 }),
        fc.nat(23),
        fc.array(float, { minLength: 3, maxLength: 3 }),
        fc.constantFrom(0, 4, 3),
        (kernel, values, n, scalars, gap) => {
          const data = new Float32Array(values);
          const arrays = Array.from({ length: kernel.arrays }, (_, i) => data.slice(23 * i, 23 * i + 23));
          const used = scalars.slice(0, kernel.scalars);
          const got = runWasm(kernel, arrays, n, used, gap);
          interpretLoop(kernel, arrays, n, used);
          expect(got.map(bits)).toEqual(arrays.map(bits));
        },
      ),
      { numRuns: 3000, seed: 7 },
    );
  });

  it('follow ONNX Runtime on special values', () => {
    expect(unary('sign', [NaN, -0, 0, 2, -2, Infinity, 1e-45])).toEqual([NaN, 0, 0, 1, -1, 1, 1]);
    expect(unary('relu', [NaN, -0, 3, -3, -Infinity])).toEqual([NaN, 0, 3, 0, 0]);
    expect(unary('round', [0.5, 1.5, 2.5, -0.5, -1.5, 8388609, NaN])).toEqual([0, 2, 2, -0, -2, 8388609, NaN]);
    expect(unary('reciprocal', [0, -0, 4, NaN])).toEqual([Infinity, -Infinity, 0.25, NaN]);
    expect(unary('square', [3, -1e-30, 1e30])).toEqual([9, 0, Infinity]);
  });

  it('read all operands of an element before storing, so arrays can be exchanged', () => {
    const swap: LoopKernel = {
      arrays: 2,
      scalars: 0,
      body: [
        { op: 'load', array: 0 },
        { op: 'load', array: 1 },
      ],
      stores: [
        { array: 0, value: 1 },
        { array: 1, value: 0 },
      ],
    };
    const arrays = [Float32Array.of(1, 2, 3, 4, 5), Float32Array.of(6, 7, 8, 9, 10)];
    expect(runWasm(swap, arrays, 5, [])).toEqual([arrays[1], arrays[0]]);
  });

  it('leave everything beyond n alone, and take n = 0', () => {
    const kernel = adamW();
    const arrays = [0, 1, 2, 3].map((i) => Float32Array.from({ length: 9 }, (_, k) => i + k / 8 + 0.25));
    expect(runWasm(kernel, arrays, 0, [0.5, 0.9, 0.1])).toEqual(arrays);
    for (const [i, after] of runWasm(kernel, arrays, 7, [0.5, 0.9, 0.1]).entries())
      expect(after.slice(7)).toEqual(arrays[i].slice(7));
  });

  it('compute AdamW as PyTorch does', () => {
    // torch.optim.AdamW([p], lr=0.1), p = [1, -2, 0.5, 3, -0.25], grad = [0.1, -0.2, 0.3, 0, 1e-4], after one step.
    const p = Float32Array.of(1, -2, 0.5, 3, -0.25);
    const g = Float32Array.of(0.1, -0.2, 0.3, 0, 1e-4);
    const [after] = runWasm(adamW(), [p, g, new Float32Array(5), new Float32Array(5)], 5, [
      Math.sqrt(1 - 0.999),
      1 - 0.1 * 0.01,
      0.1 / (1 - 0.9),
    ]);
    const expected = [0.899, -1.898, 0.3995, 2.997, -0.34974];
    for (const [i, value] of expected.entries()) expect(after[i]).toBeCloseTo(value, 5);
  });

  it('reach the upper half of a large memory', () => {
    const memory = new WebAssembly.Memory({ initial: 65536, maximum: 65536 });
    const pointer = 2 ** 32 - 4 * 1001;
    const view = new Float32Array(memory.buffer, pointer, 1001).fill(-2);
    const abs: LoopKernel = {
      arrays: 1,
      scalars: 0,
      body: [
        { op: 'load', array: 0 },
        { op: 'abs', a: 0 },
      ],
      stores: [{ array: 0, value: 1 }],
    };
    instantiateLoop(abs, memory)([pointer], 1001, []);
    expect(view.every((x) => x === 2)).toBe(true);
  });

  it('are compiled once per content and bound once per memory', () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    expect(instantiateLoop(adamW(), memory)).toBe(instantiateLoop(adamW(), memory));
    const zero = (value: number): LoopKernel => ({
      arrays: 1,
      scalars: 0,
      body: [{ op: 'const', value }],
      stores: [{ array: 0, value: 0 }],
    });
    for (const value of [0, -0, NaN, Infinity]) {
      instantiateLoop(zero(value), memory)([0], 1, []);
      expect(new Float32Array(memory.buffer, 0, 1)[0]).toBe(value);
    }
  });

  it('are checked against the memory', () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const loop = instantiateLoop(adamW(), memory);
    expect(() => loop([0, 0, 0], 1, [1, 1, 1])).toThrow('takes 4 arrays and 3 scalars; got 3 and 3');
    expect(() => loop([0, 0, 0, 65532], 2, [1, 1, 1])).toThrow(
      '2 elements at byte 65532 are beyond the memory of 65536',
    );
    expect(() => loop([0, 0, 0, -4], 1, [1, 1, 1])).toThrow(ArgumentError);
    expect(() => loop([0, 0, 0, 0], 1.5, [1, 1, 1])).toThrow('length must be 0 or more; got 1.5');
    const slow = interpreted(adamW(), memory);
    expect(() => slow([2, 0, 0, 0], 1, [1, 1, 1])).toThrow('byte 2 is not aligned');
    new Float32Array(memory.buffer).set([1, 0.5, 0, 0]);
    slow([0, 4, 8, 12], 1, [1, 1, 0]);
    expect(new Float32Array(memory.buffer)[2]).toBe(Math.fround(0.05));
  });
});

describe('kernels that are not well formed', () => {
  const stores = [{ array: 0, value: 0 }];
  const cases: [string, Partial<LoopKernel>][] = [
    ['instruction 0 (neg) refers to 0', { body: [{ op: 'neg', a: 0 }], stores }],
    ['loads array 1 of 1', { body: [{ op: 'load', array: 1 }], stores }],
    ['reads scalar 0 of 0', { body: [{ op: 'scalar', index: 0 }], stores }],
    ['stores nothing', { body: [{ op: 'load', array: 0 }], stores: [] }],
    ['array 0 appears twice', { body: [{ op: 'load', array: 0 }], stores: [...stores, ...stores] }],
    ['refers to instruction 5 of 1', { body: [{ op: 'load', array: 0 }], stores: [{ array: 0, value: 5 }] }],
    [
      'needs a mask; instruction 0 (load) gives the other kind',
      {
        body: [
          { op: 'load', array: 0 },
          { op: 'select', mask: 0, a: 0, b: 0 },
        ],
        stores,
      },
    ],
    [
      'needs numbers; instruction 1 (less) gives a mask',
      {
        body: [
          { op: 'load', array: 0 },
          { op: 'less', a: 0, b: 0 },
        ],
        stores: [{ array: 0, value: 1 }],
      },
    ],
    ['at most 2000', { body: new Array<LoopInstruction>(2001).fill({ op: 'load', array: 0 }), stores }],
  ];
  it.each(cases)('%s', (message, kernel) => {
    const whole = { arrays: 1, scalars: 0, body: [], stores: [], ...kernel };
    expect(() => emitLoop(whole)).toThrow(ArgumentError);
    expect(() => emitLoop(whole)).toThrow(message);
    expect(() => interpretLoop(whole, [new Float32Array(1)], 1, [])).toThrow(message);
  });

  it('but the longest chain is emitted', () => {
    const body: LoopInstruction[] = [{ op: 'load', array: 0 }];
    while (body.length < 2000) body.push({ op: 'neg', a: body.length - 1 });
    const kernel: LoopKernel = { arrays: 1, scalars: 0, body, stores: [{ array: 0, value: 1999 }] };
    expect(runWasm(kernel, [Float32Array.of(7)], 1, [])[0]).toEqual(Float32Array.of(-7));
  });
});

it('LEB128 numbers', () => {
  // Examples of the DWARF specification, section 7.6.
  expect(unsigned(624485)).toEqual([0xe5, 0x8e, 0x26]);
  expect(unsigned(2 ** 32 - 1)).toEqual([0xff, 0xff, 0xff, 0xff, 0x0f]);
  expect([2, -2, 127, -127, 128, -128, 129, -129].map(signed)).toEqual([
    [2],
    [0x7e],
    [0xff, 0],
    [0x81, 0x7f],
    [0x80, 1],
    [0x80, 0x7f],
    [0x81, 1],
    [0xff, 0x7e],
  ]);
});

/** Scalars: square root of the second bias correction, weight decay factor, step size. */
function adamW(): LoopKernel {
  const body: LoopInstruction[] = [];
  const add = (i: LoopInstruction) => body.push(i) - 1;
  const two = (op: 'add' | 'sub' | 'mul' | 'div', a: number, b: number) => add({ op, a, b });
  const number = (value: number) => add({ op: 'const', value });
  const [p, g, m0, v0] = [0, 1, 2, 3].map((array) => add({ op: 'load', array }));
  const m = two('add', two('mul', m0, number(0.9)), two('mul', g, number(0.1)));
  const v = two('add', two('mul', v0, number(0.999)), two('mul', add({ op: 'square', a: g }), number(0.001)));
  const root = two('div', add({ op: 'sqrt', a: v }), add({ op: 'scalar', index: 0 }));
  const step = two('mul', two('div', m, two('add', root, number(1e-8))), add({ op: 'scalar', index: 2 }));
  const next = two('sub', two('mul', p, add({ op: 'scalar', index: 1 })), step);
  return {
    arrays: 4,
    scalars: 3,
    body,
    stores: [
      { array: 0, value: next },
      { array: 2, value: m },
      { array: 3, value: v },
    ],
  };
}
