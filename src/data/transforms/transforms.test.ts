/** @file Image transforms against torchvision (test/golden/data_transforms.json), and their properties. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DType } from '../../ir/dtype.ts';
import { dtypes } from '../../ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../../ir/errors.ts';
import { fromNested, type NDArray, toNested } from '../../ir/ndarray.ts';
import { Random } from '../../ir/random.ts';
import { sizeOf } from '../../ir/shape.ts';
import * as T from './index.ts';

interface Packed {
  dtype: DType;
  shape: number[];
  data: number[];
}
interface Case {
  op: string;
  image: string;
  args: {
    size: number & [number, number];
    interpolation: 'nearest' & 'bilinear';
    antialias: boolean;
    angle: number;
    fill?: number;
    factor: number;
    channels: 1;
    padding: [number, number, number, number];
    mode: 'edge';
    mean: number[];
    std: number[];
  };
  out: Packed;
}
const golden: { images: Record<string, Packed>; cases: Case[] } = JSON.parse(
  readFileSync(new URL('../../../test/golden/data_transforms.json', import.meta.url), 'utf8'),
);
const unpack = ({ dtype, shape, data }: Packed): NDArray => ({
  dtype,
  shape,
  data: dtypes[dtype].array === Uint8Array ? Uint8Array.from(data) : Float32Array.from(data),
});

const ops: Record<string, (image: NDArray, a: Case['args'], layout: T.Layout) => NDArray> = {
  resize: (image, a, layout) =>
    T.resizeImage(image, a.size, { interpolation: a.interpolation, antialias: a.antialias, layout }),
  centerCrop: (image, a, layout) => T.centerCrop(a.size, { layout })(image),
  rotate: (image, a, layout) => T.rotate(image, a.angle, { interpolation: a.interpolation, fill: a.fill, layout }),
  brightness: (image, a, layout) => T.adjustBrightness(image, a.factor, { layout }),
  contrast: (image, a, layout) => T.adjustContrast(image, a.factor, { layout }),
  saturation: (image, a, layout) => T.adjustSaturation(image, a.factor, { layout }),
  hue: (image, a, layout) => T.adjustHue(image, a.factor, { layout }),
  grayscale: (image, a, layout) => T.grayscale(a.channels, { layout })(image),
  pad: (image, a, layout) => T.padImage(image, a.padding, { mode: a.mode, layout }),
  normalize: (image, a, layout) => T.normalize(a.mean, a.std, { layout })(image),
  toFloat: (image, _, layout) => T.toFloat({ layout })(image),
};

/** [C, H, W] to [H, W, C] and back. */
function toHwc({ data, shape: [c, h, w], dtype }: NDArray): NDArray {
  const out = data.slice();
  for (let k = 0; k < c; k++) for (let p = 0; p < h * w; p++) out[p * c + k] = data[k * h * w + p];
  return { data: out, shape: [h, w, c], dtype };
}
function toChw({ data, shape: [h, w, c], dtype }: NDArray): NDArray {
  const out = data.slice();
  for (let k = 0; k < c; k++) for (let p = 0; p < h * w; p++) out[k * h * w + p] = data[p * c + k];
  return { data: out, shape: [c, h, w], dtype };
}

function expectClose(got: NDArray, want: Packed, tolerance: number) {
  expect([got.dtype, got.shape]).toEqual([want.dtype, want.shape]);
  let worst = 0;
  want.data.forEach((v, i) => {
    worst = Math.max(worst, Math.abs(v - got.data[i]));
  });
  expect(worst).toBeLessThanOrEqual(tolerance);
}

describe.each([...new Set(golden.cases.map((c) => c.op))])('%s agrees with torchvision', (op) => {
  it.each(golden.cases.filter((c) => c.op === op).map((c) => [`${c.image} ${JSON.stringify(c.args)}`, c] as const))(
    '%s',
    (_, { image, args, out }) => {
      // float: rounding of the JSON; uint8: a rotated pixel may be a tie in one sum and not in the other
      const tolerance =
        out.dtype === 'uint8'
          ? Number(op === 'rotate' && args.interpolation === 'bilinear')
          : 2e-6 * (op === 'normalize' ? 5 : 1);
      const source = unpack(golden.images[image]);
      expectClose(ops[op](source, args, 'chw'), out, tolerance);
      const hwc = ops[op](toHwc(source), args, 'hwc');
      expectClose(op === 'toFloat' ? hwc : toChw(hwc), out, tolerance);
    },
  );
});

const picture = (h: number, w: number, c = 3): NDArray => ({
  data: Uint8Array.from({ length: h * w * c }, (_, i) => (i * 7) % 256),
  shape: [h, w, c],
  dtype: 'uint8',
});

describe('random transforms', () => {
  const all: [string, T.ImageTransform][] = [
    ['randomCrop', T.randomCrop(4, { padding: 2 })],
    ['randomResizedCrop', T.randomResizedCrop([5, 4])],
    ['randomHorizontalFlip', T.randomHorizontalFlip()],
    ['randomVerticalFlip', T.randomVerticalFlip()],
    ['randomRotation', T.randomRotation(40)],
    ['colorJitter', T.colorJitter({ brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 })],
    ['randomErasing', T.randomErasing({ p: 1 })],
    ['randomGrayscale', T.randomGrayscale(0.5)],
    ['randomApply', T.randomApply(T.grayscale(3))],
    ['compose', T.compose([T.randomCrop(5), T.colorJitter({ brightness: 0.5 }), T.toFloat()])],
  ];
  it.each(all)('%s repeats by seed, varies over seeds, and leaves its input alone', (_, transform) => {
    const image = picture(8, 9);
    const before = image.data.slice();
    const results = new Set<string>();
    for (let seed = 0; seed < 12; seed++) {
      const a = transform(image, new Random(seed));
      expect(transform(image, new Random(seed))).toEqual(a);
      expect(a.data.length).toBe(sizeOf(a.shape));
      results.add(a.data.join());
    }
    expect(results.size).toBeGreaterThan(1);
    expect(transform(image)).toEqual(transform(image));
    expect(image.data).toEqual(before);
  });

  it('crops of any size come from the image', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer(),
        (h, w, th, tw, seed) => {
          const image = picture(h, w, 1);
          const out = T.randomCrop([th, tw], { padIfNeeded: true })(image, new Random(seed));
          expect(out.shape).toEqual([th, tw, 1]);
          expect(T.randomResizedCrop([th, tw])(image, new Random(seed)).shape).toEqual([th, tw, 1]);
          expect(T.centerCrop([th, tw])(image).shape).toEqual([th, tw, 1]);
          expect(T.resizeImage(image, [th, tw]).shape).toEqual([th, tw, 1]);
          const values = new Set(image.data);
          for (const v of out.data) expect(v === 0 || values.has(v)).toBe(true);
        },
      ),
    );
  });

  it('resizing keeps a constant image constant and flips undo themselves', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 20 }),
        fc.nat(255),
        fc.constantFrom('nearest' as const, 'bilinear' as const, 'bicubic' as const),
        fc.boolean(),
        (h, w, t, v, interpolation, antialias) => {
          const flat: NDArray = { data: new Uint8Array(h * w).fill(v), shape: [h, w], dtype: 'uint8' };
          expect(new Set(T.resizeImage(flat, [t, t], { interpolation, antialias }).data)).toEqual(new Set([v]));
          const image = picture(h, w);
          expect(T.horizontalFlip(T.horizontalFlip(image))).toEqual(image);
          expect(T.verticalFlip(T.verticalFlip(image))).toEqual(image);
          expect(T.rotate(T.rotate(image, 180), 180)).toEqual(image);
        },
      ),
    );
  });

  it('treats an image and its mask alike when given the same stream', () => {
    const geometry = (interpolation: 'nearest' | 'bilinear') =>
      T.compose([T.randomResizedCrop(6, { interpolation }), T.randomHorizontalFlip(), T.randomRotation(0)]);
    const mask = picture(12, 10, 1);
    for (let seed = 0; seed < 10; seed++) {
      const random = new Random(seed);
      const a = geometry('nearest')(mask, random.fork('geometry'));
      random.uniform();
      expect(geometry('nearest')(mask, random.fork('geometry'))).toEqual(a);
    }
  });

  it('treats masks of any whole-number dtype, and mixes none of their numbers', () => {
    const mask: NDArray = {
      data: Uint16Array.from({ length: 80 }, (_, i) => 1000 * (i % 60)),
      shape: [10, 8, 1],
      dtype: 'uint16',
    };
    const geometry = (interpolation: 'nearest' | 'bilinear') =>
      T.compose([
        T.randomCrop(9, { padding: 2, padIfNeeded: true }),
        T.randomResizedCrop(6, { interpolation }),
        T.randomHorizontalFlip(),
        T.randomRotation(40, { interpolation, fill: 7 }),
        T.centerCrop(7),
      ]);
    const known = new Set([...mask.data, 7]);
    const classes: NDArray = { data: Float64Array.from(mask.data), shape: [10, 8, 1], dtype: 'int64' };
    for (let seed = 0; seed < 10; seed++) {
      const out = geometry('nearest')(mask, new Random(seed));
      expect([out.dtype, out.shape]).toEqual(['uint16', [7, 7, 1]]);
      expect([...out.data].filter((v) => !known.has(v))).toEqual([]);
      expect([...geometry('nearest')(classes, new Random(seed)).data]).toEqual([...out.data]);
    }
    expect(() => geometry('bilinear')(mask)).toThrow("found uint16; masks take interpolation: 'nearest'");
    expect(() => T.rotate(mask, 5, { interpolation: 'bilinear' })).toThrow(DTypeError);
    expect(() => T.colorJitter({ brightness: 0.5 })(mask)).toThrow(DTypeError);
    expect(() => T.normalize([0.5], [1])(mask)).toThrow(DTypeError);
  });

  it('erases one rectangle with the given values', () => {
    const image: NDArray = { data: new Float32Array(3 * 20 * 20).fill(1), shape: [3, 20, 20], dtype: 'float32' };
    const out = T.randomErasing({ p: 1, value: [5, 6, 7] })(image, new Random(3));
    const erased = [5, 6, 7].map((v) => out.data.filter((x) => x === v).length);
    expect(erased[0]).toBeGreaterThan(0);
    expect(erased).toEqual([erased[0], erased[0], erased[0]]);
    expect(erased[0] / 400).toBeLessThan(0.4);
    expect(T.randomErasing({ p: 0 })(image)).toBe(image);
    expect(new Set(T.randomErasing({ p: 1, value: 'random' })(image, new Random(1)).data).size).toBeGreaterThan(10);
  });
});

describe('layouts and errors', () => {
  it('tells layouts apart, uint8 as HWC and float as CHW where both fit', () => {
    expect(T.toFloat()(picture(4, 5)).shape).toEqual([3, 4, 5]);
    expect(T.toFloat()({ data: new Uint8Array(20), shape: [4, 5], dtype: 'uint8' }).shape).toEqual([1, 4, 5]);
    expect(T.grayscale()({ data: new Float32Array(45), shape: [3, 5, 3], dtype: 'float32' }).shape).toEqual([1, 5, 3]);
    expect(T.grayscale()({ data: new Uint8Array(45), shape: [3, 5, 3], dtype: 'uint8' }).shape).toEqual([3, 5, 1]);
    expect(() => T.toFloat()({ data: new Uint8Array(125), shape: [5, 5, 5], dtype: 'uint8' })).toThrow(
      "give layout: 'hwc' or 'chw'",
    );
    expect(() => T.toFloat()(fromNested([1, 2]))).toThrow(ShapeError);
    expect(() => T.toFloat()(fromNested([[1]], 'int32'))).toThrow(DTypeError);
  });

  it.each<[() => unknown, typeof ArgumentError, string]>([
    [() => T.resize(0), ArgumentError, 'resize: size'],
    [() => T.randomCrop(9)(picture(4, 4)), ShapeError, 'crop 9 x 9 is larger than the image 4 x 4'],
    [() => T.normalize([0.5], [0]), ArgumentError, 'stds above 0'],
    [() => T.normalize([0.5], [1])(picture(4, 4)), DTypeError, 'put toFloat() before it'],
    [() => T.normalize([1, 2], [1, 1])(T.toFloat()(picture(4, 4))), ArgumentError, '2 means for 3 channels'],
    [() => T.adjustHue(picture(2, 2), 0.7), ArgumentError, '-0.5 and 0.5, found 0.7'],
    [() => T.adjustBrightness(picture(2, 2), -1), ArgumentError, 'at least 0'],
    [() => T.adjustContrast(picture(5, 5, 4), 1), ShapeError, '1 or 3 channels, found 4'],
    [() => T.colorJitter({ hue: 0.6 }), ArgumentError, 'hue'],
    [() => T.randomRotation([3, 1]), ArgumentError, 'low <= high'],
    [() => T.rotate(picture(2, 2), Number.NaN), ArgumentError, 'finite'],
    [() => T.randomHorizontalFlip(2), ArgumentError, 'between 0 and 1'],
    [() => T.padImage(picture(4, 4), 5, { mode: 'reflect' }), ShapeError, 'reflection'],
    [() => T.padImage(picture(4, 4), 5, { mode: 'symmetric' }), ShapeError, 'padding up to the image size 4 x 4'],
    [() => T.padImage(picture(4, 4), -1), ArgumentError, 'at least 0'],
    [() => T.padImage(picture(4, 4), 1, { mode: 'wrap' as 'edge' }), ArgumentError, "reflect, symmetric; found 'wrap'"],
    [() => T.resize(3, { interpolation: 'area' as 'nearest' })(picture(4, 4)), ArgumentError, "found 'area'"],
    [() => T.rotate(picture(4, 4), 1, { interpolation: 'bicubic' as 'nearest' }), ArgumentError, "found 'bicubic'"],
    [() => T.randomErasing({ scale: [0.5, 2] }), ArgumentError, 'scale'],
    [() => T.randomErasing({ p: 1, value: [1] })(picture(4, 4)), ArgumentError, '1 values for 3 channels'],
  ])('case %# is refused by name', (run, type, message) => {
    expect(run).toThrow(type);
    expect(run).toThrow(message);
  });
});

describe('mixup and cutmix', () => {
  const batch = () => ({
    x: {
      data: Float32Array.from({ length: 2 * 1 * 4 * 4 }, (_, i) => (i < 16 ? 0 : 1)),
      shape: [2, 1, 4, 4],
      dtype: 'float32' as const,
    },
    y: { data: Float64Array.of(0, 2), shape: [2], dtype: 'int64' as const },
    id: ['a', 'b'],
  });

  it('mixup mixes images and labels by the same share', () => {
    const { x, y, id } = T.mixup({ numClasses: 3, alpha: 0.4 })(batch(), new Random(5));
    const [first, second] = toNested(y as NDArray) as number[][];
    expect(y.shape).toEqual([2, 3]);
    expect(first[0] + first[2]).toBeCloseTo(1, 6);
    expect(second[2]).toBeCloseTo(first[0], 6);
    expect(x.data[0]).toBeCloseTo(1 - first[0], 6);
    expect(x.data[16]).toBeCloseTo(first[0], 6);
    expect(id).toEqual(['a', 'b']);
  });

  it('cutmix labels follow the pasted area', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { x, y } = T.cutmix({ numClasses: 3 })(batch(), new Random(seed));
      const pasted = x.data.subarray(0, 16).reduce((a, b) => a + b, 0) / 16;
      expect((y as NDArray).data[2]).toBeCloseTo(pasted, 6);
      expect((y as NDArray).data[0]).toBeCloseTo(1 - pasted, 6);
    }
  });

  it('names wrong batches', () => {
    const mix = T.mixup({ numClasses: 2 });
    expect(() => mix(batch(), new Random(0))).toThrow('label 2 of sample 1 is outside of 0 to 1');
    expect(() => mix({ z: 1 }, new Random(0))).toThrow("needs arrays 'x' and 'y'; it has z");
    expect(() => T.mixup({ numClasses: 0 })).toThrow(ArgumentError);
    expect(() => T.cutmix({ numClasses: 3 })({ ...batch(), x: fromNested([[1], [2]]) }, new Random(0))).toThrow(
      '[N, C, H, W], found [2, 1]',
    );
  });
});
