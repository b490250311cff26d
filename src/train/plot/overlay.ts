/** @file Drawing into images: the colours of classes over pixels, frames around objects. */
import { isFloat } from '../../ir/dtype.ts';
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { formatShape } from '../../ir/shape.ts';

/** Red, green and blue, 0 to 255. */
export type Color = readonly [red: number, green: number, blue: number];

function sizesOf(what: string, { shape }: NDArray): [height: number, width: number] {
  if (shape.length !== 3 || shape[0] !== 3)
    throw new ShapeError(`${what}: expected an image [3, height, width], found ${formatShape(shape)}`);
  return [shape[1], shape[2]];
}

function colorOf(what: string, colors: readonly Color[], label: number): Color {
  const color = colors[label];
  if (!color) throw new ArgumentError(`${what}: there is no colour for class ${label}, but ${colors.length} colours`);
  return color;
}

export interface OverlayOptions {
  /** Share of the colour in the mixture, 0 to 1. Default 0.6. */
  readonly opacity?: number;
  /** Class of pixels that stay as they are. */
  readonly ignoreIndex?: number;
}

/**
 * An image under the colours of its pixels' classes, for `imageGrid`.
 * @param image [3, height, width]; integers are 0 to 255, floats 0 to 1.
 * @param labels a class for each pixel, row by row.
 * @throws ShapeError for other sizes, ArgumentError for a class without a colour.
 */
export function overlay(
  image: NDArray,
  labels: ArrayLike<number>,
  colors: readonly Color[],
  { opacity = 0.6, ignoreIndex }: OverlayOptions = {},
): NDArray {
  const [height, width] = sizesOf('overlay', image);
  const size = height * width;
  if (labels.length !== size)
    throw new ShapeError(`overlay: ${labels.length} labels for ${size} pixels of ${height} x ${width}`);
  const scale = isFloat(image.dtype) ? 1 / 255 : 1;
  const data = image.data.slice();
  for (let p = 0; p < size; p++) {
    if (labels[p] === ignoreIndex) continue;
    const color = colorOf('overlay', colors, labels[p]);
    for (let c = 0; c < 3; c++)
      data[c * size + p] = (1 - opacity) * image.data[c * size + p] + opacity * color[c] * scale;
  }
  return { ...image, data };
}

/**
 * An image with frames two pixels wide around its objects, for `imageGrid`. What lies outside of the image is left out.
 * @param image [3, height, width]; integers are 0 to 255, floats 0 to 1.
 * @param objects corners (x1, y1, x2, y2) in pixels, and classes.
 * @throws ShapeError for another shape, ArgumentError for a class without a colour.
 */
export function drawBoxes(
  image: NDArray,
  { boxes, labels }: { readonly boxes: readonly (readonly number[])[]; readonly labels: ArrayLike<number> },
  colors: readonly Color[],
): NDArray {
  const [height, width] = sizesOf('drawBoxes', image);
  const scale = isFloat(image.dtype) ? 1 / 255 : 1;
  const data = image.data.slice();
  for (const [i, box] of boxes.entries()) {
    const color = colorOf('drawBoxes', colors, labels[i]);
    const [x1, y1, x2, y2] = box.map(Math.round);
    const paint = (x: number, y: number) => {
      if (x >= 0 && y >= 0 && x < width && y < height)
        for (let c = 0; c < 3; c++) data[(c * height + y) * width + x] = color[c] * scale;
    };
    const [left, right] = [Math.max(0, x1), Math.min(width, x2)];
    const [upper, lower] = [Math.max(0, y1), Math.min(height, y2)];
    for (let x = left; x < right; x++) for (const y of [y1, y1 + 1, y2 - 2, y2 - 1]) paint(x, y);
    for (let y = upper; y < lower; y++) for (const x of [x1, x1 + 1, x2 - 2, x2 - 1]) paint(x, y);
  }
  return { ...image, data };
}
