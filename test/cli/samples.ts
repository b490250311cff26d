/** @file Tiny data of every format the command line reads, made from a seed. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { Random } from '../../src/ir/random.ts';

/** A colour image: red is bright for class 0, blue for class 1; noise on top. */
function pixels(label: number, side: number, random: Random): Uint8Array {
  const data = new Uint8Array(side * side * 3);
  for (let i = 0; i < data.length; i++) data[i] = (i % 3 === 2 * label ? 150 : 40) + random.int(0, 60);
  return data;
}

/** `root/red/*.png`, `root/blue/*.png`, sizes that differ a little. */
export async function imageFolder(root: string, perClass: number, seed = 0): Promise<void> {
  for (const [label, name] of ['red', 'blue'].entries()) {
    await mkdir(join(root, name), { recursive: true });
    for (let i = 0; i < perClass; i++) {
      const random = new Random(seed).fork(name, i);
      const side = 12 + (i % 3) * 2;
      const raw = { width: side, height: side, channels: 3 } as const;
      await sharp(pixels(label, side, random), { raw })
        .png()
        .toFile(join(root, name, `${i}.png`));
    }
  }
}

/** MNIST's four files: class 0 has its bright half above, class 1 below, class 2 in the middle. */
export async function idxFolder(root: string, train: number, test: number): Promise<void> {
  await mkdir(root, { recursive: true });
  for (const [part, count] of [
    ['train', train],
    ['t10k', test],
  ] as const) {
    const side = 8;
    const images = Buffer.alloc(16 + count * side * side);
    images.set([0, 0, 8, 3]);
    for (const [i, size] of [count, side, side].entries()) images.writeUInt32BE(size, 4 + 4 * i);
    const labels = Buffer.alloc(8 + count);
    labels.set([0, 0, 8, 1]);
    labels.writeUInt32BE(count, 4);
    const random = new Random(part);
    for (let n = 0; n < count; n++) {
      const label = n % 3;
      labels[8 + n] = label;
      for (let i = 0; i < side * side; i++) {
        const row = Math.floor(i / side);
        const bright = label === 0 ? row < 3 : label === 1 ? row > 4 : row === 3 || row === 4;
        images[16 + n * side * side + i] = (bright ? 180 : 20) + random.int(0, 50);
      }
    }
    await writeFile(join(root, `${part}-images-idx3-ubyte`), images);
    await writeFile(join(root, `${part}-labels-idx1-ubyte`), labels);
  }
}

/** data_batch_1.bin and test_batch.bin of CIFAR-10's layout; class = brightest of three colours, labels 0 to 2. */
export async function cifarFolder(root: string, train: number, test: number): Promise<void> {
  await mkdir(root, { recursive: true });
  for (const [name, count] of [
    ['data_batch_1', train],
    ['test_batch', test],
  ] as const) {
    const bytes = new Uint8Array(count * 3073);
    const random = new Random(name);
    for (let n = 0; n < count; n++) {
      const label = n % 3;
      bytes[n * 3073] = label;
      for (let i = 0; i < 3072; i++)
        bytes[n * 3073 + 1 + i] = (Math.floor(i / 1024) === label ? 170 : 40) + random.int(0, 60);
    }
    await writeFile(join(root, `${name}.bin`), bytes);
  }
}

/** A table: `kind` follows from colour and size; `price` is a number; some cells are missing. */
export function tableText(rows: number, seed = 0): string {
  const random = new Random(seed).fork('table');
  const lines = ['id,size,colour,flag,kind,price'];
  for (let i = 0; i < rows; i++) {
    const size = random.uniform(0, 10);
    const colour = random.choice(['red', 'green', 'blue']);
    const kind = size > 5 !== (colour === 'red') ? 'big' : 'small';
    const price = 3 * size + (colour === 'blue' ? 10 : 0) + random.normal(0, 0.3);
    const shown = i % 17 === 3 ? '' : size.toFixed(3);
    lines.push(`${1000 + i},${shown},${colour},${i % 2 ? 'yes' : 'no'},${kind},${price.toFixed(3)}`);
  }
  return `${lines.join('\n')}\n`;
}
