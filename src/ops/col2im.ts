/** @file Col2Im and its adjoint im2col: windows summed into an image, and an image cut into windows. */
import { ShapeError } from '../ir/errors.ts';
import { type Attrs, constant, type Value } from '../ir/graph.ts';
import { formatShape, type Shape, sizeOf } from '../ir/shape.ts';
import { inputGradient } from './conv/input-gradient.ts';
import { conv } from './conv.ts';
import { constantInts, defineOp, requireFloat, requireRank, type } from './define.ts';
import { memoConstant } from './memo.ts';
import { reshape } from './movement.ts';
import { slidingWindows } from './window.ts';

/** One kernel per tap, [taps, 1, ...kernel], that picks just that tap. */
function oneHotKernels(kernel: Shape, like: Value): Value {
  const taps = sizeOf(kernel);
  return memoConstant(`one-hot kernels ${like.dtype} ${kernel}`, () => {
    const data = new Array<number>(taps * taps).fill(0);
    for (let i = 0; i < taps; i++) data[i * taps + i] = 1;
    return constant(data, like.dtype, [taps, 1, ...kernel]);
  });
}

const geometryOf = ({ strides, dilations, pads }: Attrs): Attrs => ({ strides, dilations, pads });

/**
 * The windows of x [batch, channels, ...spatial] as columns [batch, channels * taps, windows]; attributes kernel_shape,
 * strides, dilations, pads (torch.nn.functional.unfold). Made of a convolution with one-hot kernels.
 */
export function im2col(x: Value, attrs: Attrs): Value {
  const [batch, channels, ...spatial] = x.shape;
  const kernel = attrs.kernel_shape as readonly number[];
  const planes = reshape(x, [batch * channels, 1, ...spatial]);
  const windows = conv(planes, oneHotKernels(kernel, x), geometryOf(attrs));
  return reshape(windows, [batch, channels * sizeOf(kernel), sizeOf(windows.shape.slice(2))]);
}

interface Fold {
  readonly image: Shape;
  readonly kernel: Shape;
  readonly windows: Shape;
  readonly channels: number;
}

function foldOf([x, imageShape, blockShape]: readonly Value[], attrs: Attrs): Fold {
  requireRank(x, 3, 'the columns');
  const image = constantInts(imageShape, 'the image shape');
  const kernel = constantInts(blockShape, 'the block shape');
  if (kernel.length !== image.length)
    throw new ShapeError(`image ${formatShape(image)} and block ${formatShape(kernel)} must have as many axes`);
  const windows = slidingWindows(image, kernel, attrs).output;
  const channels = x.shape[1] / sizeOf(kernel);
  if (!Number.isInteger(channels) || x.shape[2] !== sizeOf(windows))
    throw new ShapeError(
      `columns for blocks of ${formatShape(kernel)} on an image of ${formatShape(image)} must be [batch, channels * ${sizeOf(kernel)}, ${sizeOf(windows)}], found ${formatShape(x.shape)}`,
    );
  return { image, kernel, windows, channels };
}

function summed(operands: readonly Value[], attrs: Attrs): Value {
  const [x] = operands;
  const { image, kernel, windows, channels } = foldOf(operands, attrs);
  const planes = x.shape[0] * channels;
  const columns = reshape(x, [planes, sizeOf(kernel), ...windows]);
  const sums = inputGradient(columns, oneHotKernels(kernel, x), [planes, 1, ...image], geometryOf(attrs));
  return reshape(sums, [x.shape[0], channels, ...image]);
}

/**
 * Columns [batch, channels * taps, windows] summed where the windows lie in the image. Operands: columns, image shape,
 * block shape (constants); attributes strides, dilations, pads. Source: ONNX Col2Im, torch.nn.functional.fold.
 */
export const col2Im = defineOp('Col2Im', {
  infer: (operands, attrs) => {
    const { image, channels } = foldOf(operands, attrs);
    return type(requireFloat(operands[0]), [operands[0].shape[0], channels, ...image]);
  },
  // ONNX Runtime 1.30's kernel is silently wrong for dilated windows in one and three dimensions.
  simplify: (operands, attrs) => {
    const isDilated = (attrs.dilations as readonly number[] | undefined)?.some((d) => d > 1);
    return isDilated && operands[1].size !== 2 ? summed(operands, attrs) : undefined;
  },
  gradient: ({ inputs, attrs }, [dy]) => [
    dy && im2col(dy, { ...geometryOf(attrs), kernel_shape: foldOf(inputs, attrs).kernel }),
  ],
  decompose: summed,
});
