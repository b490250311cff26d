/** @file A minimal writer of WebAssembly modules: LEB128 numbers, sections, and the instructions that loops need. */

export const ValueType = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    out.push(rest ? low | 0x80 : low);
  } while (rest);
  return out;
}

/** Signed LEB128 of a 32-bit integer. */
export function signed(value: number): number[] {
  const out: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && !(low & 0x40)) || (rest === -1 && low & 0x40)) return [...out, low];
    out.push(low | 0x80);
  }
}

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [...unsigned(bytes.length), ...bytes];
}

function vector(items: number[][]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function section(id: number, content: number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

const simd = (opcode: number) => [0xfd, ...unsigned(opcode)];

/** Instructions; the names are those of the specification with underscores for points. */
export const I = {
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  end: [0x0b],
  br_if: (depth: number) => [0x0d, ...unsigned(depth)],
  local_get: (index: number) => [0x20, ...unsigned(index)],
  local_set: (index: number) => [0x21, ...unsigned(index)],
  local_tee: (index: number) => [0x22, ...unsigned(index)],
  i32_const: (value: number) => [0x41, ...signed(value)],
  f32_const: (value: number) => [0x43, ...new Uint8Array(new Float32Array([value]).buffer)],
  i32_eq: [0x46],
  i32_ne: [0x47],
  i32_add: [0x6a],
  i32_and: [0x71],
  i32_shl: [0x74],
  // Operand arrays are float32 views, so 4-byte alignment (hint 2) is what can be promised.
  // All offsets are 0.
  v128_load: [...simd(0x00), 2, 0],
  v128_store: [...simd(0x0b), 2, 0],
  v128_load32_zero: [...simd(0x5c), 2, 0],
  v128_store32_lane0: [...simd(0x5a), 2, 0, 0],
  f32x4_splat: simd(0x13),
};

/** SIMD operations by the names that loops use. */
export const lanes = {
  equal: simd(0x41),
  less: simd(0x43),
  greater: simd(0x44),
  lessOrEqual: simd(0x45),
  greaterOrEqual: simd(0x46),
  not: simd(0x4d),
  and: simd(0x4e),
  or: simd(0x50),
  /** v128.bitselect: operands a, b, mask. */
  select: simd(0x52),
  ceil: simd(0x67),
  floor: simd(0x68),
  trunc: simd(0x69),
  round: simd(0x6a),
  abs: simd(0xe0),
  neg: simd(0xe1),
  sqrt: simd(0xe3),
  add: simd(0xe4),
  sub: simd(0xe5),
  mul: simd(0xe6),
  div: simd(0xe7),
  min: simd(0xe8),
  max: simd(0xe9),
};

/**
 * A module with one function, exported as `run`, without results, over the memory imported as `env.memory`.
 * `parameters` and `locals` are value types; `code` is the function's body without its final `end`.
 */
export function moduleOf(parameters: number[], locals: number[], code: number[]): Uint8Array<ArrayBuffer> {
  const groups: number[][] = [];
  for (let i = 0; i < locals.length; ) {
    let j = i;
    while (j < locals.length && locals[j] === locals[i]) j++;
    groups.push([...unsigned(j - i), locals[i]]);
    i = j;
  }
  const body = [...vector(groups), ...code, ...I.end];
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector([[0x60, ...vector(parameters.map((type) => [type])), ...vector([])]])),
    ...section(2, vector([[...text('env'), ...text('memory'), 0x02, 0x00, ...unsigned(0)]])),
    ...section(3, vector([unsigned(0)])),
    ...section(7, vector([[...text('run'), 0x00, ...unsigned(0)]])),
    ...section(10, vector([[...unsigned(body.length), ...body]])),
  ]);
}
