/**
 * @file Random numbers computed inside a program from a seed that is an input of it: the same bits on every device.
 *
 * Element i is a hash of i under keys derived from the seed. A round is x -> x (2 x + odd), a permutation of the 32-bit
 * words (Rivest et al., "The RC6 block cipher", 1998), followed by exchanging the halves; the odd numbers depend on the
 * seed. Four rounds: three still pass chi-square, pair and correlation tests, two do not.
 */
import { ArgumentError, DTypeError, ShapeError } from '../ir/errors.ts';
import { type Attrs, constant, type Value } from '../ir/graph.ts';
import { formatShape, type Shape, sizeOf } from '../ir/shape.ts';
import { hardSigmoid } from './activations.ts';
import { add, div, mul } from './arithmetic.ts';
import { cast } from './cast.ts';
import { defineOp, type } from './define.ts';
import { log, sqrt } from './elementwise.ts';
import { zerosOf } from './gather.ts';
import { concat, ints, reshape, split } from './movement.ts';
import { slice } from './slice.ts';
import { cos, sin } from './trigonometry.ts';
import { numberAttr } from './unary.ts';

const word = (value: number) => constant(value >>> 0, 'uint32');
const half = 65536;

function mixed(x: Value, odd: Value): Value {
  const y = mul(x, add(mul(x, word(2)), odd));
  return add(div(y, word(half)), mul(y, word(half)));
}

/** The keys of the four rounds. */
function roundKeys(seed: Value): readonly Value[] {
  let s = add(mul(seed, word(0x9e3779b1)), word(0x7f4a7c15));
  for (let i = 0; i < 2; i++) s = mixed(s, word(0x6c8e9cf5));
  const factors = constant([0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f], 'uint32');
  const offsets = constant([0x165667b1, 0x2c1b3c6d, 0x297a2d39, 0x85ebca6b], 'uint32');
  const keys = add(mul(add(mul(s, factors), offsets), word(2)), word(1));
  return split(keys, ints([1, 1, 1, 1]), { axis: 0 });
}

/** Rows and columns that multiply to `count`, or a little more where it has no fitting divisor. */
function grid(count: number): [number, number] {
  for (let columns = Math.min(count, 4096); columns >= 64; columns--)
    if (count % columns === 0) return [count / columns, columns];
  const columns = Math.max(1, Math.min(count, 1024));
  return [Math.ceil(count / columns), columns];
}

/** At least `count` random words, [rows, columns]. The counter is spread out by broadcasting, so it takes no space. */
function randomWords(seed: Value, count: number): Value {
  const [rows, columns] = grid(count);
  const down = constant(
    Array.from({ length: rows }, (_, i) => i * columns),
    'uint32',
    [rows, 1],
  );
  const across = constant(
    Array.from({ length: columns }, (_, i) => i),
    'uint32',
    [1, columns],
  );
  return roundKeys(seed).reduce((x, key) => mixed(x, key), add(down, across));
}

/** The first elements of `x`, in a new shape. */
function shaped(x: Value, shape: Shape): Value {
  const count = sizeOf(shape);
  return reshape(x.size === count ? x : slice(reshape(x, [-1]), [0], [count]), shape);
}

const inferDraw = ([seed]: readonly Value[], attrs: Attrs) => {
  if (seed.dtype !== 'uint32') throw new DTypeError(`the seed must be uint32, found ${seed.dtype}`);
  if (seed.size !== 1) throw new ShapeError(`the seed must be a scalar, found shape ${formatShape(seed.shape)}`);
  return type('float32', attrs.shape as Shape);
};

/** Uniform float32 numbers in [0, 1), multiples of 2^-24, of the attribute `shape`; the operand is a uint32 seed. */
export const hashUniform = defineOp('RandomUniform', {
  domain: 'gradus',
  infer: inferDraw,
  gradient: 'zero',
  decompose: ([seed], attrs) => {
    const shape = attrs.shape as Shape;
    const bits = div(randomWords(seed, sizeOf(shape)), word(256));
    return shaped(mul(cast(bits, { to: 'float32' }), constant(2 ** -24, 'float32')), shape);
  },
});

/** Standard normal float32 numbers (Box and Muller 1958) of the attribute `shape`; the operand is a uint32 seed. */
export const hashNormal = defineOp('RandomNormal', {
  domain: 'gradus',
  infer: inferDraw,
  gradient: 'zero',
  decompose: ([seed], attrs) => {
    const shape = attrs.shape as Shape;
    const pairs = Math.ceil(sizeOf(shape) / 2);
    const uniform = hashUniform(seed, { shape: [2, pairs] });
    const [first, second] = split(uniform, ints([1, 1]), { axis: 0 });
    const c = (value: number) => constant(value, 'float32');
    // 1 - u lies in (0, 1], so that the logarithm is finite.
    const radius = sqrt(mul(log(add(mul(first, c(-1)), c(1))), c(-2)));
    const angle = mul(second, c(2 * Math.PI));
    return shaped(concat(mul(radius, cos(angle)), mul(radius, sin(angle)), { axis: 0 }), shape);
  },
});

/**
 * What dropout multiplies by: 0 with probability `ratio`, otherwise 1 / (1 - ratio), independently per element of the
 * attribute `shape`. The ratio is held to 16 bits, and the scale belongs to what is held, so the expectation is exactly 1.
 */
export const dropoutMask = defineOp('DropoutMask', {
  domain: 'gradus',
  infer: (inputs, attrs) => {
    const ratio = numberAttr(attrs, 'ratio', 0.5);
    if (!(ratio >= 0 && ratio <= 1)) throw new ArgumentError(`the dropout ratio must lie in [0, 1], found ${ratio}`);
    return inferDraw(inputs, attrs);
  },
  gradient: 'zero',
  decompose: ([seed], attrs) => {
    const shape = attrs.shape as Shape;
    const threshold = Math.round(numberAttr(attrs, 'ratio', 0.5) * half);
    const zero = constant(0, 'float32');
    if (threshold === half || sizeOf(shape) === 0) return zerosOf(zero, shape);
    // One word serves two elements, by its two halves.
    const words = randomWords(seed, Math.ceil(sizeOf(shape) / 2));
    const low = mul(words, word(half));
    const halves = div(concat(reshape(low, [1, -1]), reshape(words, [1, -1]), { axis: 0 }), word(half));
    // Whole numbers: 0 below the threshold, 1 from there on.
    const kept = hardSigmoid(cast(halves, { to: 'float32' }), { alpha: 1, beta: 1 - threshold });
    return shaped(mul(kept, constant(half / (half - threshold), 'float32')), shape);
  },
});
