import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { ArgumentError, FormatError, ShapeError } from '../../ir/errors.ts';
import { fromNested, type NDArray } from '../../ir/ndarray.ts';
import { bars, canDrawText, confusionMatrix, imageGrid, lineChart, report, svgToPng } from './index.ts';

const loss = (title = 'Loss') =>
  lineChart({
    title,
    xLabel: 'epoch',
    yLabel: 'cross entropy',
    series: [
      { name: 'train', y: [2, 1, 0.5, 0.25] },
      { name: 'validation', y: [2, 1.5, 1.25, 1.5], mark: 'min' },
    ],
  });
const matrix = {
  labels: ['cat', 'dog'],
  counts: [
    [8, 2],
    [0, 5],
  ],
};

/** Texts of an SVG in order. */
function textsOf(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text.trim());
}

/** Width, height and the colours in a PNG; throws where the SVG is not well formed. */
async function draw(svg: string) {
  const png = await svgToPng(svg, { scale: 1 });
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const colors = new Map<string, number>();
  for (let i = 0; i < data.length; i += 3) {
    const color = data.subarray(i, i + 3).toString('hex');
    colors.set(color, (colors.get(color) ?? 0) + 1);
  }
  return { width: info.width, height: info.height, colors };
}

describe('lineChart', () => {
  it('draws a line per series, with names and the marked value', async () => {
    const svg = loss();
    expect(textsOf(svg)).toEqual(
      expect.arrayContaining(['Loss', 'train', 'validation', 'epoch', 'cross entropy', '1.250']),
    );
    const { width, height, colors } = await draw(svg);
    expect([width, height]).toEqual([640, 400]);
    expect(colors.get('0072b2')).toBeGreaterThan(300);
    expect(colors.get('d55e00')).toBeGreaterThan(300);
  });

  it('gives the same text every time, without what only a mouse needs', () => {
    bars({ labels: ['a'], series: [{ name: 's', values: [1] }] });
    expect(loss()).toBe(loss());
    expect(loss()).not.toMatch(/<style|class=|pointer-events|zr\d/);
  });

  it('escapes text and leaves gaps for numbers that are none', async () => {
    const svg = lineChart({
      title: '<script>&"\'\u0001',
      series: [{ name: '</svg>', y: [Number.NaN, 1, Number.POSITIVE_INFINITY, 2, 3, Number.NaN], mark: 'max' }],
    });
    expect(svg).not.toMatch(/<script|NaN|Infinity|undefined/);
    expect(textsOf(svg).some((t) => t.startsWith('&lt;script&gt;&amp;'))).toBe(true);
    await draw(svg);
    await draw(lineChart({ series: [] }));
    await draw(lineChart({ series: [{ name: 'none', y: [], mark: 'min' }] }));
    await draw(lineChart({ series: [{ name: 'never', y: [Number.NaN], mark: 'min' }], logY: true }));
    await draw(lineChart({ series: [{ name: 'zero', y: [0, 1e-3, 10], x: [0, 5, 10] }], logY: true }));
  });

  it('refuses wrong sizes', () => {
    expect(() => lineChart({ series: [{ name: 'l', x: [1], y: [1, 2] }] })).toThrow(
      'line "l": 1 values of x, but 2 of y',
    );
    expect(() => lineChart({ series: [], width: 1e6 })).toThrow(
      'chart size 1000000 x 400: expected 50 to 10000 pixels',
    );
    expect(() => lineChart({ series: [], height: Number.NaN })).toThrow(ArgumentError);
  });
});

describe('confusionMatrix', () => {
  it('writes counts or percents and darkens by share', async () => {
    expect(textsOf(confusionMatrix(matrix, { title: 'Pets' }))).toEqual(
      expect.arrayContaining(['Pets', 'cat', 'dog', 'actual', 'predicted', '8', '2', '0', '5']),
    );
    const percent = confusionMatrix(
      {
        ...matrix,
        counts: [
          [999, 1],
          [0, 5],
        ],
      },
      { percent: true },
    );
    expect(textsOf(percent)).toEqual(expect.arrayContaining(['100', '&lt;1', 'actual (rows in %)']));
    const { colors } = await draw(confusionMatrix(matrix));
    expect(colors.get('084594')).toBeGreaterThan(500);
  });

  it('draws hundreds of classes without numbers, and refuses none', async () => {
    const n = 100;
    const counts = Array.from({ length: n }, (_, a) => Array.from({ length: n }, (_, p) => (a === p ? 12345 : 0)));
    const svg = confusionMatrix({ labels: counts.map((_, i) => `class ${i}`), counts });
    expect(textsOf(svg)).not.toContain('12345');
    expect(svg.length).toBeLessThan(200_000);
    await draw(svg);
    expect(() => confusionMatrix({ labels: [], counts: [] })).toThrow(ArgumentError);
  });

  it('draws a thousand and more classes within the largest size', () => {
    const n = 1200;
    const counts = Array.from({ length: n }, (_, a) => Array.from({ length: n }, (_, p) => (a === p ? 5 : 0)));
    const svg = confusionMatrix({ labels: counts.map((_, i) => `class ${i}`), counts });
    const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg) ?? [];
    expect(Number(width)).toBeGreaterThan(9600);
    expect(Math.max(Number(width), Number(height))).toBeLessThanOrEqual(10_000);
  });
});

it('bars writes names and values, and refuses lists of different length', async () => {
  const svg = bars({
    title: 'Recall',
    labels: ['cat', 'a very long name of a class that cannot fit into a third of the width of the picture'],
    series: [{ name: 'recall', values: [0.9, Number.NaN] }],
    max: 1,
  });
  expect(textsOf(svg)).toEqual(expect.arrayContaining(['Recall', 'cat', '0.9']));
  expect(textsOf(svg).some((t) => /^a very long name.*…$/.test(t))).toBe(true);
  await draw(svg);
  expect(() => bars({ labels: ['a'], series: [{ name: 's', values: [] }] })).toThrow('bars "s": 0 values for 1 labels');
});

describe('imageGrid', () => {
  it('embeds images as PNG with sharp pixels', async () => {
    const rgb: NDArray = { data: Uint8Array.of(255, 0, 0, 255, 0, 0), shape: [3, 1, 2], dtype: 'uint8' };
    const svg = await imageGrid([{ image: rgb, caption: 'cat → dog & co', note: 'p = 0.9' }], {
      size: 100,
      title: 'Wrong',
    });
    expect(textsOf(svg)).toEqual(['Wrong', 'cat → dog &amp; co', 'p = 0.9']);
    const { colors } = await draw(svg);
    // Two pixels of 50 x 50, red and green, less the frame.
    expect(colors.get('ff0000')).toBeGreaterThan(2300);
    expect(colors.get('00ff00')).toBeGreaterThan(2300);
  });

  it('takes all layouts and stretches normalised values', async () => {
    const grey = fromNested([
      [0, 1],
      [0.5, 0.25],
    ]);
    const images = [
      grey,
      { ...grey, shape: [1, 2, 2] },
      { ...grey, shape: [2, 2, 1] },
      fromNested([[[-2, 2, 0]], [[1, 1, 1]]]),
      { ...fromNested([[7, 7]]), dtype: 'int32' as const, data: Int32Array.of(7, 300) },
    ];
    const svg = await imageGrid(
      images.map((image) => ({ image })),
      { columns: 2 },
    );
    const pngs = [...svg.matchAll(/base64,([^"]+)"/g)].map(([, base64]) => Buffer.from(base64, 'base64'));
    expect(pngs).toHaveLength(5);
    const pixels = await Promise.all(
      pngs.map(async (png) => {
        const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
        return [data[0], data[(info.width - 1) * info.channels], info.channels];
      }),
    );
    expect(pixels.map((p) => p.slice(0, 2))).toEqual([
      [0, 255],
      [0, 255],
      [0, 255],
      [0, 0],
      [7, 255],
    ]);
    await draw(svg);
  });

  it('refuses arrays that are no images', async () => {
    await expect(imageGrid([{ image: fromNested([1, 2]) }])).rejects.toThrow(ShapeError);
    await expect(
      imageGrid([{ image: { data: new Float32Array(40), shape: [2, 4, 5], dtype: 'float32' } }]),
    ).rejects.toThrow('image of shape [2, 4, 5]: expected [H, W], [C, H, W] or [H, W, C] with 1, 3 or 4 channels');
    await expect(imageGrid([])).rejects.toThrow(ArgumentError);
  });
});

describe('report', () => {
  it('sets charts in rows and keeps their marks apart', async () => {
    const svg = report([[loss('A'), loss('B')], [confusionMatrix(matrix)]], {
      title: 'Run <1>',
      subtitle: 'accuracy 0.9',
    });
    expect(textsOf(svg).slice(0, 2)).toEqual(['Run &lt;1&gt;', 'accuracy 0.9']);
    const ids = [...svg.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, id] of svg.matchAll(/url\(#([^)]+)\)/g)) expect(ids).toContain(id);
    const { width, height, colors } = await draw(svg);
    expect(width).toBe(12 + 2 * (640 + 12));
    expect(height).toBeGreaterThan(400 + 150);
    expect(colors.get('0072b2')).toBeGreaterThan(600);
  });

  it('refuses what is no chart', () => {
    expect(() => report([])).toThrow(ArgumentError);
    expect(() => report([['<p>hi</p>']])).toThrow(FormatError);
  });
});

describe('svgToPng', () => {
  it('scales, and refuses broken input', async () => {
    const png = await svgToPng(loss(), { scale: 2 });
    expect(await sharp(png).metadata()).toMatchObject({ width: 1280, height: 800, format: 'png' });
    await expect(svgToPng('<svg')).rejects.toThrow(ArgumentError);
    await expect(svgToPng(loss(), { scale: 100 })).rejects.toThrow('PNG scale is 100');
  });

  it('tells whether text can be drawn', async () => {
    expect(typeof (await canDrawText())).toBe('boolean');
  });
});
