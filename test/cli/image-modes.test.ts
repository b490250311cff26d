/** @file A folder as people have them: pictures of all sizes and modes, a camera's turned ones, corrupt ones among them. */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { beforeAll, expect, it } from 'vitest';
import { here, temporary } from './run.ts';

const folder = await temporary();
const pictures = join(folder, 'pictures');

const colors = { red: { r: 220, g: 30, b: 30 }, blue: { r: 20, g: 40, b: 230 } };

/** The same colour in every mode; sizes differ. */
const modes: readonly [string, (image: Sharp) => Sharp][] = [
  ['rgb.png', (image) => image.png()],
  ['rgba.png', (image) => image.ensureAlpha(0.5).png()],
  ['palette.png', (image) => image.png({ palette: true })],
  ['deep.png', (image) => image.toColourspace('rgb16').png()],
  ['cmyk.jpg', (image) => image.toColourspace('cmyk').jpeg()],
  ['turned.jpg', (image) => image.jpeg().withMetadata({ orientation: 6 })],
  ['image.webp', (image) => image.webp()],
  ['image.gif', (image) => image.gif()],
  ['image.tif', (image) => image.tiff()],
];

beforeAll(async () => {
  for (const [name, background] of Object.entries(colors)) {
    await mkdir(join(pictures, name), { recursive: true });
    for (let copy = 0; copy < 2; copy++)
      for (const [i, [file, encode]] of modes.entries()) {
        const image = sharp({ create: { width: 14 + i, height: 30 - 2 * i, channels: 3, background } });
        await encode(image).toFile(join(pictures, name, `${copy}-${file}`));
      }
    const grey = sharp({ create: { width: 9, height: 9, channels: 3, background } }).greyscale();
    await grey
      .toColourspace('b-w')
      .png()
      .toFile(join(pictures, name, 'grey.png'));
  }
  const jpeg = await sharp({ create: { width: 64, height: 64, channels: 3, background: colors.red } })
    .jpeg()
    .toBuffer();
  for (let i = 0; i < 7; i++)
    await writeFile(join(pictures, 'red', `cut-${i}.jpg`), jpeg.subarray(0, i === 0 ? 0 : jpeg.length - 40 * i));
});

it('trains on all modes; corrupt JPEGs are counted, five of them listed, all left out', async () => {
  const out = join(folder, 'run');
  const args = ['train', 'image-classification', '--data', pictures, '-e', '6', '--out', out, '--image-size', '16'];
  const { code, stdout, stderr } = await here([...args, '--test', '0.2', '--val', '0.2', '--lr', '0.01']);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('45 images, colour, 9-30 x 9-22 (10 different) pixels');
  expect(stderr).toContain('7 images cannot be read and are left out (--strict makes this an error):');
  expect(stderr.match(/cut-\d\.jpg: /g)).toHaveLength(5);
  expect(stderr).toContain('and 2 more');
  const record = JSON.parse(await readFile(join(out, 'run.json'), 'utf8'));
  expect(record.data.unreadable).toBe(7);
  const turned = await here(['predict', out, join(pictures, 'blue', '0-turned.jpg'), '--json']);
  expect(JSON.parse(turned.stdout).prediction, turned.stderr).toBe('blue');
});

it('stops at the first corrupt JPEG with --strict', async () => {
  const { code, stderr } = await here(['train', '--data', pictures, '--strict', '--out', join(folder, 'strict')]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: .*cut-\d\.jpg: (no readable image|the file is empty)/);
});

it('draws a contact sheet of them', async () => {
  const out = join(folder, 'preview');
  const args = [
    'train',
    '--data',
    pictures,
    '--preview',
    '--augment',
    'flip,rotate',
    '--image-size',
    '16',
    '--out',
    out,
  ];
  const { code, stdout, stderr } = await here(args);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('with flip, rotate; nothing was trained');
  const svg = await readFile(join(out, 'preview.svg'), 'utf8');
  expect(svg.match(/<image /g)).toHaveLength(36);
  expect(svg.match(/as it is/g)).toHaveLength(6);
});

it('reads class folders behind links, very long pictures, and leaves links into nowhere out', async () => {
  const odd = join(folder, 'odd');
  await mkdir(join(odd, 'long'), { recursive: true });
  await symlink(join(pictures, 'blue'), join(odd, 'linked'));
  for (const [i, [width, height]] of [
    [2_000_000, 1],
    [1, 2_000_000],
  ].entries())
    await sharp({ create: { width, height, channels: 3, background: colors.red } })
      .png()
      .toFile(join(odd, 'long', `${i}.png`));
  await symlink(join(odd, 'nowhere.png'), join(odd, 'long', '2.png'));
  const args = ['train', '--data', odd, '--preview', '--val', '0', '--test', '0', '--image-size', '16'];
  const { code, stdout, stderr } = await here([...args, '--out', join(folder, 'odd-preview')]);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('image-folder');
  expect(stderr).toContain('1 image cannot be read and is left out');
  expect(stderr).toContain('2.png: no such file');
});
