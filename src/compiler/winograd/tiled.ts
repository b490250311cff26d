/**
 * @file Winograd's minimal filtering F(m x m, 3 x 3) as graph nodes, and its transposes for both gradients.
 *
 * Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks". Activations are [channels, batch, height,
 * width], so that every transformed position is one matrix product over channels. The input transform is a blocked
 * convolution with constant kernels.
 */
import { constant, type Value } from '../../ir/graph.ts';
import { gemm, matMul } from '../../ops/matmul.ts';
import { reshape, swapLast, transpose } from '../../ops/movement.ts';
import { blockedConv, reorderOutput } from '../nchwc/ops.ts';
import { blockWeights } from '../nchwc/weights.ts';
import { f2, f4, type Matrix, matrix, outer, type Winograd } from './matrices.ts';

/** Transformed positions come in groups of one block of channels each, because a blocked convolution makes them. */
interface Group {
  readonly from: number;
  readonly size: number;
}

/** The transforms for tiles of m x m outputs (m is 2 or 4) on an engine with blocks of `block` channels. */
export class TiledWinograd implements Winograd {
  readonly #m: number;
  readonly #block: number;
  readonly #input: number[][];
  readonly #filter: number[][];
  readonly #output: number[][];
  readonly #groups: readonly Group[];

  constructor(m: 2 | 4, block: number) {
    const { a, b, g } = m === 2 ? f2 : f4;
    this.#m = m;
    this.#block = block;
    this.#input = outer(b);
    this.#filter = outer(g);
    this.#output = outer(a);
    const count = this.#input.length;
    this.#groups = Array.from({ length: Math.ceil(count / block) }, (_, i) => ({
      from: i * block,
      size: Math.min(block, count - i * block),
    }));
  }

  /** Convolution of x [C, N, H, W] by weight [O, C, 3, 3], padding 1: [O, N, H, W]. */
  forward(x: Value, weight: Value): Value {
    const filters = this.#filters(weight, this.#filter);
    const products = this.#transformed(x).map((v, i) => matMul(filters[i], v));
    return this.#inverse(products, weight.shape[0], x.shape);
  }

  /** Gradient by the input: dy [O, N, H, W] to [C, N, H, W]; the same convolution with rotated filters and channels swapped. */
  inputGradient(dy: Value, weight: Value): Value {
    const rotated = this.#filter.map((row) => [...row].reverse());
    const filters = this.#filters(weight, rotated).map(swapLast);
    const products = this.#transformed(dy).map((v, i) => matMul(filters[i], v));
    return this.#inverse(products, weight.shape[1], dy.shape);
  }

  /** Gradient by the weights: x [C, N, H, W] and dy [O, N, H, W] to [O, C, 3, 3]. Shares the forward's input transform. */
  weightGradient(x: Value, dy: Value): Value {
    const m = this.#m;
    const [outputs, batch, height, width] = dy.shape;
    const [rows, columns] = [height / m, width / m];
    const positions = batch * rows * columns;
    const tiles = transpose(reshape(dy, [outputs * batch * rows, m, columns, m]), { perm: [0, 2, 1, 3] });
    const flat = reshape(tiles, [outputs * positions, m * m]);
    const inputs = this.#transformed(x);
    return this.#sum([outputs, x.shape[0], 3, 3], (sum, { from, size }, i) => {
      const lifted = reshape(gemm(this.#transposedRows(this.#output, from, size), flat, { transB: 1 }), [
        size,
        outputs,
        positions,
      ]);
      const product = reshape(matMul(lifted, swapLast(inputs[i])), [size, outputs * x.shape[0]]);
      return gemm(product, matrix(this.#filter.slice(from, from + size)), sum, { transA: 1 });
    });
  }

  /** Adds up a product per group, each taking the sum so far as its bias. */
  #sum(shape: readonly number[], product: (sum: Value | undefined, group: Group, i: number) => Value): Value {
    const [first, ...rest] = this.#groups;
    return reshape(
      rest.reduce((sum, group, i) => product(sum, group, i + 1), product(undefined, first, 0)),
      shape,
    );
  }

  /** Columns [from, from + size) of a matrix, as rows. */
  #transposedRows(rows: Matrix, from: number, size: number): Value {
    return matrix(Array.from({ length: size }, (_, k) => rows.map((row) => row[from + k])));
  }

  /** Filters [O, C, 3, 3] as one [size, O, C] per group. */
  #filters(weight: Value, transform: Matrix): readonly Value[] {
    const [outputs, channels] = weight.shape;
    const flat = reshape(weight, [outputs * channels, 9]);
    // A product per group reads the filters again, which costs less than to part the result of one.
    return this.#groups.map(({ from, size }) =>
      reshape(gemm(matrix(transform.slice(from, from + size)), flat, { transB: 1 }), [size, outputs, channels]),
    );
  }

  /** x [C, N, H, W] as one [size, C, N * tiles] per group. */
  #transformed(x: Value): Value[] {
    const [channels, batch, height, width] = x.shape;
    const [m, block] = [this.#m, this.#block];
    const tile = m + 2;
    const tiles = (height / m) * (width / m);
    const images = reshape(x, [channels * batch, 1, height, width]);
    return this.#groups.map(({ from, size }) => {
      const kernels = new Float32Array(block * tile * tile);
      kernels.set(this.#input.slice(from, from + size).flat());
      const weights = blockWeights(constant(kernels, 'float32', [block, 1, tile, tile]), block, true);
      const geometry = { kernel_shape: [tile, tile], strides: [m, m], pads: [1, 1, 1, 1], dilations: [1, 1], group: 1 };
      const transformed = reshape(blockedConv(images, weights, geometry), [1, block, channels * batch, tiles]);
      return reshape(reorderOutput(transformed, { channels: size, channels_last: 0 }), [size, channels, batch * tiles]);
    });
  }

  /** Products [size, O, N * tiles] per group back to [O, N, H, W]. */
  #inverse(products: readonly Value[], outputs: number, like: readonly number[]): Value {
    const [, batch, height, width] = like;
    const m = this.#m;
    const [rows, columns] = [height / m, width / m];
    const tiles = this.#sum([outputs * batch * rows, columns, m, m], (sum, { from, size }, i) => {
      const flat = reshape(products[i], [size, outputs * batch * rows * columns]);
      return gemm(flat, this.#transposedRows(this.#output, from, size), sum, { transA: 1 });
    });
    return reshape(transpose(tiles, { perm: [0, 2, 1, 3] }), [outputs, batch, height, width]);
  }
}
