/** @file A grid of images with captions, such as wrong predictions. */
import { isFloat } from '../../ir/dtype.ts';
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { formatShape } from '../../ir/shape.ts';
import { numbersOf } from '../metrics/metric.ts';
import { nodePackage } from '../node-package.ts';
import { escapeXml, faintInk, fitText, fontFamily, ink } from './chart.ts';

export interface GridImage {
  /**
   * [H, W], [C, H, W] or [H, W, C] with 1, 3 or 4 channels. Integers are 0 to 255. Floats are 0 to 1; if any value lies
   * outside (normalised inputs), the image is stretched from its smallest to its largest value.
   */
  readonly image: NDArray;
  /** Under the image; cut to its width. */
  readonly caption?: string;
  /** Second line, smaller. */
  readonly note?: string;
  /** Frame, such as a colour for right or wrong. Default light grey. */
  readonly color?: string;
}

export interface ImageGridOptions {
  readonly title?: string;
  /** Default 6. */
  readonly columns?: number;
  /** Longer side of each image in pixels. Default 96. */
  readonly size?: number;
}

/**
 * Images with captions as SVG text; the images are embedded as PNG. Small ones are enlarged without blurring. Node only
 * (sharp makes the PNG).
 * @throws ShapeError for arrays that are no images, ArgumentError for no images at all.
 */
export async function imageGrid(
  images: readonly GridImage[],
  { title, columns = 6, size = 96 }: ImageGridOptions = {},
): Promise<string> {
  if (images.length === 0) throw new ArgumentError('image grid without images: nothing to draw');
  if (!Number.isInteger(columns) || columns < 1)
    throw new ArgumentError(`image grid: columns is ${columns}, expected an integer of at least 1`);
  const gap = 16;
  const top = title === undefined ? 14 : 44;
  const captions = images.some((i) => i.caption !== undefined) ? 18 : 0;
  const notes = images.some((i) => i.note !== undefined) ? 15 : 0;
  const pictures = await Promise.all(images.map(async ({ image }) => await embed(image, size)));
  // Cells are as wide and high as the largest picture; smaller ones are centred.
  const cell = {
    width: Math.max(...pictures.map((p) => p.width)),
    height: Math.max(...pictures.map((p) => p.height)),
  };
  const rowHeight = cell.height + captions + notes + gap;
  const across = Math.min(columns, images.length);
  const width = gap + across * (cell.width + gap);
  const height = top + Math.ceil(images.length / columns) * rowHeight;
  const parts: string[] = [];
  if (title !== undefined) parts.push(text(title, 12, 26, 15, ink, 'start', 600));
  for (const [i, { caption, note, color = '#d1d5db' }] of images.entries()) {
    const { uri, width: w, height: h } = pictures[i];
    const x = gap + (i % columns) * (cell.width + gap);
    const y = top + Math.floor(i / columns) * rowHeight;
    const [left, upper] = [x + (cell.width - w) / 2, y + (cell.height - h) / 2];
    parts.push(
      `<image x="${left}" y="${upper}" width="${w}" height="${h}" preserveAspectRatio="none" href="${uri}"/>`,
      `<rect x="${left - 1}" y="${upper - 1}" width="${w + 2}" height="${h + 2}" fill="none" stroke="${escapeXml(color)}" stroke-width="2"/>`,
    );
    const middle = x + cell.width / 2;
    const under = y + cell.height;
    const room = cell.width + gap - 4;
    if (caption !== undefined) parts.push(text(fitText(caption, 12, room), middle, under + 16, 12, ink, 'middle'));
    if (note !== undefined)
      parts.push(text(fitText(note, 10.5, room), middle, under + captions + 12, 10.5, faintInk, 'middle'));
  }
  return (
    `<svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" xmlns="http://www.w3.org/2000/svg">\n` +
    `<rect width="${width}" height="${height}" fill="#ffffff"/>\n${parts.join('\n')}\n</svg>`
  );
}

function text(content: string, x: number, y: number, size: number, fill: string, anchor: string, weight = 400): string {
  return `<text x="${x}" y="${y}" font-family="${escapeXml(fontFamily)}" font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}">${escapeXml(content)}</text>`;
}

/** An image as a PNG's address, and the size at which it is shown: the longer side `size`. */
async function embed(image: NDArray, size: number) {
  const png = await encodePng(image, size * 2);
  const scale = size / Math.max(png.width, png.height);
  const uri = `data:image/png;base64,${png.bytes.toString('base64')}`;
  return { uri, width: png.width * scale, height: png.height * scale };
}

/** PNG of an image, enlarged by a whole factor to about `wanted` pixels so that pixels stay sharp. */
async function encodePng(image: NDArray, wanted: number) {
  const { width, height, channels, bytes } = toBytes(image);
  const { default: sharp } = await nodePackage('sharp');
  const factor = Math.max(1, Math.floor(wanted / Math.max(width, height)));
  const png = await sharp(bytes, { raw: { width, height, channels } })
    .resize(width * factor, height * factor, { kernel: 'nearest' })
    .png({ compressionLevel: 9 })
    .toBuffer();
  return { bytes: png, width, height };
}

/** The image as rows of interleaved 8-bit channels. */
function toBytes(image: NDArray) {
  const { height, width, channels, planar } = layoutOf(image.shape);
  const values = numbersOf(image);
  let low = 0;
  let high = isFloat(image.dtype) ? 1 : 255;
  if (isFloat(image.dtype)) {
    let least = Number.POSITIVE_INFINITY;
    let largest = Number.NEGATIVE_INFINITY;
    for (const v of values) {
      least = Math.min(least, v);
      largest = Math.max(largest, v);
    }
    if (least < 0 || largest > 1) [low, high] = [least, largest];
  }
  const bytes = new Uint8ClampedArray(values.length);
  const pixels = height * width;
  for (let p = 0; p < pixels; p++)
    for (let c = 0; c < channels; c++) {
      const value = values[planar ? c * pixels + p : p * channels + c];
      bytes[p * channels + c] = ((value - low) / (high - low)) * 255;
    }
  return { width, height, channels, bytes };
}

function layoutOf(shape: readonly number[]) {
  const isChannels = (n: number): n is 1 | 3 | 4 => n === 1 || n === 3 || n === 4;
  const [a, b, c] = shape;
  if (shape.every((d) => d > 0)) {
    if (shape.length === 2) return { height: a, width: b, channels: 1, planar: false } as const;
    if (shape.length === 3 && isChannels(a)) return { height: b, width: c, channels: a, planar: true } as const;
    if (shape.length === 3 && isChannels(c)) return { height: a, width: b, channels: c, planar: false } as const;
  }
  throw new ShapeError(
    `image of shape ${formatShape(shape)}: expected [H, W], [C, H, W] or [H, W, C] with 1, 3 or 4 channels`,
  );
}
