/**
 * @file Winograd's minimal filtering on small maps: each transform is one matrix that takes a whole map.
 *
 * With few tiles to a map, cutting it into tiles costs more than the zeros of a matrix that does so on its way. Maps need
 * not be whole numbers of tiles. With M the transform of the input, A that of the gradient and U the transformed filters,
 * the output is A' U M x, so that the gradients are M' U' A dy and, by U, (A dy) (M x)': A dy serves both.
 */
import type { Value } from '../../ir/graph.ts';
import { fusedMatMul } from '../../ops/fused.ts';
import { gemm } from '../../ops/matmul.ts';
import { reshape } from '../../ops/movement.ts';
import { f2, f4, matrix, outer, type Winograd } from './matrices.ts';

/** The transforms for maps of `height` x `width` outputs. */
export class DenseWinograd implements Winograd {
  readonly #height: number;
  readonly #width: number;
  /** Positions of a transformed tile, and tiles of a map. */
  readonly #positions: number;
  readonly #tiles: number;
  /** [positions, 9]. */
  readonly #filter: Value;
  /** [1, positions * tiles, points of the map]. */
  readonly #input: Value;
  readonly #output: Value;

  /** The number of tiles of a map. */
  static tiles(height: number, width: number): number {
    const m = tileOf(height, width);
    return Math.ceil(height / m) * Math.ceil(width / m);
  }

  /** The number of positions of a transformed tile. */
  static positions(height: number, width: number): number {
    return (tileOf(height, width) + 2) ** 2;
  }

  constructor(height: number, width: number) {
    const m = tileOf(height, width);
    const { a, b, g } = m === 2 ? f2 : f4;
    this.#height = height;
    this.#width = width;
    this.#positions = DenseWinograd.positions(height, width);
    this.#tiles = DenseWinograd.tiles(height, width);
    this.#filter = matrix(outer(g));
    // Column h of the map is column h - m tile + 1 of a tile (tiles overlap, and begin one before the map).
    const input = (p: number, tile: number, h: number) => b[p][h - m * tile + 1] ?? 0;
    const output = (p: number, tile: number, h: number) => (Math.floor(h / m) === tile ? a[h % m][p] : 0);
    this.#input = this.#rows(m, input);
    this.#output = this.#rows(m, output);
  }

  /** One row per position and tile, one column per point of the map, of the products of both axes' numbers. */
  #rows(m: number, along: (position: number, tile: number, at: number) => number): Value {
    const range = (n: number) => Array.from({ length: n }, (_, i) => i);
    const positions = range(m + 2);
    const [rows, columns] = [range(Math.ceil(this.#height / m)), range(Math.ceil(this.#width / m))];
    const all = positions.flatMap((p) =>
      positions.flatMap((q) =>
        rows.flatMap((r) =>
          columns.map((c) =>
            range(this.#height).flatMap((h) => range(this.#width).map((w) => along(p, r, h) * along(q, c, w))),
          ),
        ),
      ),
    );
    return matrix(all, [1, all.length, this.#height * this.#width]);
  }

  /** Convolution of x [C, N, H, W] by weight [O, C, 3, 3], padding 1: [O, N, H, W]. */
  forward(x: Value, weight: Value): Value {
    const products = fusedMatMul(this.#filters(weight), this.#transformed(x, this.#input), { transBatchB: 1 });
    return this.#mapped(products, this.#output);
  }

  /** Gradient by the input: dy [O, N, H, W] to [C, N, H, W]. */
  inputGradient(dy: Value, weight: Value): Value {
    const transformed = this.#transformed(dy, this.#output);
    const products = fusedMatMul(this.#filters(weight), transformed, { transA: 1, transBatchB: 1 });
    return this.#mapped(products, this.#input);
  }

  /** Gradient by the weights: x [C, N, H, W] and dy [O, N, H, W] to [O, C, 3, 3]. */
  weightGradient(x: Value, dy: Value): Value {
    const [outputs, channels] = [dy.shape[0], x.shape[0]];
    // Summed over tiles as well as the batch.
    const joined = (v: Value) => reshape(v, [v.shape[0], this.#positions, -1]);
    const [left, right] = [this.#transformed(dy, this.#output), this.#transformed(x, this.#input)];
    const products = fusedMatMul(joined(left), joined(right), { transBatchA: 1, transBatchB: 1, transB: 1 });
    const flat = reshape(products, [this.#positions, outputs * channels]);
    return reshape(gemm(flat, this.#filter, { transA: 1 }), [outputs, channels, 3, 3]);
  }

  /** Filters [O, C, 3, 3] as [positions, 1, O, C]. */
  #filters(weight: Value): Value {
    const [outputs, channels] = weight.shape;
    const flat = gemm(this.#filter, reshape(weight, [outputs * channels, 9]), { transB: 1 });
    return reshape(flat, [this.#positions, 1, outputs, channels]);
  }

  /** Maps [C, N, H, W] transformed, [C, positions, tiles, N]. */
  #transformed(maps: Value, rows: Value): Value {
    const [channels, batch] = maps.shape;
    const flat = reshape(maps, [channels, batch, this.#height * this.#width]);
    return reshape(fusedMatMul(rows, flat, { transB: 1 }), [channels, this.#positions, this.#tiles, batch]);
  }

  /** Products [positions, tiles, O, N] back to maps [O, N, H, W] by the transposed rows. */
  #mapped(products: Value, rows: Value): Value {
    const [positions, tiles, outputs, batch] = products.shape;
    const flat = reshape(products, [positions * tiles, outputs, batch]);
    const maps = fusedMatMul(flat, rows, { transBatchA: 1, transA: 1 });
    return reshape(maps, [outputs, batch, this.#height, this.#width]);
  }
}

/** Outputs of a tile along each axis: 4, where a map has no more than 2 only 2. */
function tileOf(height: number, width: number): 2 | 4 {
  return Math.max(height, width) > 2 ? 4 : 2;
}
