/** @file PNG from SVG by sharp, in Node only. */
import { ArgumentError } from '../../ir/errors.ts';
import { nodePackage } from '../node-package.ts';

/**
 * An SVG as PNG bytes, `scale` times its size in pixels.
 *
 * Text is drawn with the fonts of the machine (sans-serif through fontconfig). On a bare machine or container without
 * any font each letter comes out as an empty box, while everything else is drawn: check with `canDrawText`, install a font (Debian:
 * `apt-get install fonts-dejavu-core`), or keep the SVG, which draws its text wherever it is viewed.
 * @throws ArgumentError when it is not an SVG that can be drawn.
 */
export async function svgToPng(svg: string, { scale = 2 }: { readonly scale?: number } = {}): Promise<Uint8Array> {
  if (!(scale > 0 && scale <= 8))
    throw new ArgumentError(`PNG scale is ${scale}, expected a number above 0 and up to 8`);
  const { default: sharp } = await nodePackage('sharp');
  try {
    // Embedded images of a report can be longer than the 10 MB that XML readers take by default.
    return new Uint8Array(
      await sharp(Buffer.from(svg), { density: 72 * scale, unlimited: true })
        .png()
        .toBuffer(),
    );
  } catch (error) {
    throw new ArgumentError(`the SVG cannot be drawn: ${error instanceof Error ? error.message : error}`);
  }
}

/** Whether `svgToPng` finds a font on this machine, tried by drawing a letter. */
export async function canDrawText(): Promise<boolean> {
  const { default: sharp } = await nodePackage('sharp');
  const svg = (letter: string) =>
    Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><text x="5" y="30" font-size="30" font-family="sans-serif">${letter}</text></svg>`,
    );
  const [a, b] = await Promise.all(['M', 'i'].map((letter) => sharp(svg(letter)).raw().toBuffer()));
  // Without fonts every letter is nothing, or the same empty box.
  return !a.equals(b);
}
