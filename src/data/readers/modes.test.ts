/** @file Pictures of every mode side by side; masks whose numbers are classes. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { FormatError, GradusError } from '../../ir/errors.ts';
import { Random } from '../../ir/random.ts';
import { decodeImage } from '../node.ts';

const orange = { r: 200, g: 100, b: 50 };
const plain = () => sharp({ create: { width: 8, height: 4, channels: 3, background: orange } });

// Written by Pillow 12: palette of 2 bits, 1 bit, 16 bits.
const file = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));
const palette = file(
  'iVBORw0KGgoAAAANSUhEUgAAAAQAAAADAgMAAADJmkZVAAAADFBMVEX/AAAA/wAAAP8JCQlccX6GAAAADklEQVR4nGOQZmJgYgAAAJkAIPUQWP0AAAAASUVORK5CYII=',
);
const bits = file('iVBORw0KGgoAAAANSUhEUgAAAAQAAAADAQAAAACcj5NrAAAADklEQVR4nGMIYGJgYgAAAaIAVSs30AwAAAAASUVORK5CYII=');
const deep = file(
  'iVBORw0KGgoAAAANSUhEUgAAAAQAAAADEAAAAADBDy1ZAAAAH0lEQVR4nGNkYGDUYdRh1GFg2cB6h52Dw4SRMwEiAgAqhwNaEbqsOwAAAABJRU5ErkJggg==',
);

describe('modes', () => {
  it.each<[string, () => Promise<Buffer>, number]>([
    ['RGB', () => plain().png().toBuffer(), 0],
    ['RGBA', () => plain().ensureAlpha(0.3).png().toBuffer(), 0],
    ['a palette', () => plain().png({ palette: true }).toBuffer(), 0],
    ['a palette with transparency', () => plain().ensureAlpha(0.5).png({ palette: true }).toBuffer(), 0],
    ['16 bits', () => plain().toColourspace('rgb16').png().toBuffer(), 0],
    ['a GIF', () => plain().gif().toBuffer(), 0],
    ['Lab', () => plain().toColourspace('lab').tiff().toBuffer(), 1],
    ['CMYK, whose gamut is smaller', () => plain().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer(), 35],
  ])('%s', async (_, make, tolerance) => {
    const { shape, data, dtype } = await decodeImage(await make());
    expect([shape, dtype]).toEqual([[4, 8, 3], 'uint8']);
    for (const [i, v] of [orange.r, orange.g, orange.b].entries())
      expect(Math.abs(data[i] - v)).toBeLessThanOrEqual(tolerance);
    expect((await decodeImage(await make(), { color: 'grey' })).shape).toEqual([4, 8, 1]);
  });

  it('16-bit grey keeps its upper bits, to one step', async () => {
    const { data } = await decodeImage(deep, { color: 'grey' });
    for (const [i, v] of data.entries()) expect(Math.abs(v - (i * 300) / 257)).toBeLessThanOrEqual(1);
  });

  it("grey is the luma of the colours, as Pillow's", async () => {
    const rgb = Uint8Array.from([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 200, 100, 50, 255, 255, 255]);
    const png = await sharp(rgb, { raw: { width: 6, height: 1, channels: 3 } })
      .png()
      .toBuffer();
    // np.array(Image.open(file).convert('L')) of Pillow 13
    expect([...(await decodeImage(png, { color: 'grey' })).data]).toEqual([0, 76, 150, 29, 124, 255]);
  });

  it('a JPEG that its camera turned stands upright, pixel by pixel', async () => {
    const corner = await sharp({ create: { width: 16, height: 8, channels: 3, background: { r: 0, g: 0, b: 0 } } })
      .composite([{ input: { create: { width: 4, height: 4, channels: 3, background: orange } }, left: 0, top: 0 }])
      .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
      .withMetadata({ orientation: 6 })
      .toBuffer();
    const { shape, data } = await decodeImage(corner);
    expect(shape).toEqual([16, 8, 3]);
    // Turned to the right: what was at the upper left is at the upper right.
    expect(data[3 * 7]).toBeGreaterThan(180);
    expect(data[0]).toBeLessThan(20);
  });
});

describe('masks', () => {
  const index = async (bytes: Uint8Array) => await decodeImage(bytes, { color: 'index', name: 'mask.png' });

  it('have the numbers of the file: indices into a palette, single bits, 16 bits', async () => {
    const repeated = (n: number, scale = 1) => Array.from({ length: 12 }, (_, i) => (i % n) * scale);
    expect(await index(palette)).toEqual({ data: Uint8Array.from(repeated(4)), shape: [3, 4, 1], dtype: 'uint8' });
    expect([...(await index(bits)).data]).toEqual(repeated(2));
    expect(await index(deep)).toEqual({ data: Uint16Array.from(repeated(12, 300)), shape: [3, 4, 1], dtype: 'uint16' });
  });

  it('undo every filter of rows, of one and of three channels', async () => {
    const random = new Random(3);
    for (const channels of [1, 3] as const) {
      const raw = Uint8Array.from({ length: 24 * 17 * channels }, (_, i) => ((i % 40) + random.int(0, 9)) & 255);
      const png = await sharp(raw, { raw: { width: 24, height: 17, channels } })
        .toColourspace(channels === 1 ? 'b-w' : 'srgb')
        .png({ adaptiveFiltering: true })
        .toBuffer();
      expect([...(await index(png)).data]).toEqual([...raw].filter((_, i) => i % channels === 0));
    }
  });

  it('have 16 bits of a TIFF file, too; other numbers are refused', async () => {
    const values = Uint16Array.from({ length: 12 }, (_, i) => 300 * i);
    const grey = sharp(values, { raw: { width: 4, height: 3, channels: 1 } }).toColourspace('grey16');
    const deepTiff = await grey.tiff({ compression: 'none' }).toBuffer();
    expect(await index(deepTiff)).toEqual({ data: values, shape: [3, 4, 1], dtype: 'uint16' });
    const floats = await plain().toColourspace('scrgb').tiff({ compression: 'none' }).toBuffer();
    await expect(index(floats)).rejects.toThrow('mask.png: a mask of float numbers; expected 8 or 16 bits');
  });

  it('are refused where they are damaged, interlaced or too large', async () => {
    const grey = sharp(new Uint8Array(64).fill(3), { raw: { width: 8, height: 8, channels: 1 } }).toColourspace('b-w');
    const interlaced = await grey.clone().png({ progressive: true }).toBuffer();
    await expect(index(interlaced)).rejects.toThrow('mask.png: the PNG is interlaced; masks must be saved without');
    const whole = await grey.png().toBuffer();
    await expect(index(whole.subarray(0, whole.length - 20))).rejects.toThrow('mask.png: the PNG ends within a chunk');
    await expect(decodeImage(whole, { color: 'index', maxPixels: 10 })).rejects.toThrow('pixel limit 10');
    const random = new Random(1);
    for (let run = 0; run < 200; run++) {
      const mutated = Uint8Array.from(run % 2 ? palette : whole);
      mutated[random.int(8, mutated.length)] ^= 1 << random.int(0, 8);
      const error = await index(mutated).then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(error).toBeInstanceOf(GradusError);
      expect(error).toBeInstanceOf(FormatError);
    }
  });
});
