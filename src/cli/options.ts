/** @file Reading option values. */
import { InvalidArgumentError } from 'commander';

/** A whole number of at least `min`. */
export function whole(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < min || text.trim() === '')
      throw new InvalidArgumentError(`expected a whole number of at least ${min}.`);
    return value;
  };
}

/** A number above 0 (or at least 0 with `zero`). */
export function positive({ zero = false }: { zero?: boolean } = {}): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < 0 || (value === 0 && !zero))
      throw new InvalidArgumentError(`expected a number ${zero ? 'of at least' : 'above'} 0.`);
    return value;
  };
}

/** `0.1` is a share of the data; anything else is a path. */
export function shareOrPath(text: string): number | string {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) return text;
  if (value < 0 || value >= 1)
    throw new InvalidArgumentError('expected a share from 0 up to (but without) 1, or a path.');
  return value;
}

/** `64,32`: whole numbers of at least 1. */
export function widths(text: string): number[] {
  const read = whole(1);
  return text.split(',').map((part) => read(part.trim()));
}

/** `64` or `64x48` (height x width). */
export function imageSize(text: string): [number, number] {
  const found = /^(\d+)(?:x(\d+))?$/i.exec(text.trim());
  const height = Number(found?.[1]);
  const width = Number(found?.[2] ?? found?.[1]);
  if (!(height >= 4 && height <= 2048 && width >= 4 && width <= 2048))
    throw new InvalidArgumentError('expected pixels such as 64, or height x width such as 48x64; 4 to 2048 each.');
  return [height, width];
}

/** `a,b,c`. */
export const names = (text: string): string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
