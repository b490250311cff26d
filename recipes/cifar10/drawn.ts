/** @file Drawn pictures in CIFAR-10's format, for tests where the real ones are not at hand. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Files of CIFAR-10's binary version with stripes whose direction and width tell the class. */
export async function drawCifar(path: string): Promise<void> {
  await mkdir(path);
  const write = async (name: string, count: number) => {
    const bytes = new Uint8Array(count * 3073);
    for (let i = 0; i < count; i++) {
      const label = i % 10;
      bytes[i * 3073] = label;
      for (let p = 0; p < 3072; p++) {
        const [channel, y, x] = [Math.floor(p / 1024), Math.floor(p / 32) % 32, p % 32];
        const along = (label % 2 ? x : y) + channel + i;
        const noise = Math.imul(i * 3072 + p, 0x9e3779b1) >>> 27;
        bytes[i * 3073 + 1 + p] = 80 + noise + 60 * Math.sin((along * (1 + (label >> 1))) / 3);
      }
    }
    await writeFile(join(path, name), bytes);
  };
  await write('data_batch_1.bin', 800);
  await write('test_batch.bin', 200);
}
