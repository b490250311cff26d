import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ArgumentError, OnnxModel, zeros } from 'gradus';
import { readTar } from 'gradus/data/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runRecipe } from '../run.ts';
import { batches, inDictionary, loadClips, spell } from './data.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-speech-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

// 32 clips of the set: one, two, six, eight by two speakers; 24 to learn from, 8 to test.
const data = join(import.meta.dirname, 'clips.tar.gz');

describe('short runs', () => {
  it('letters from sound, in one ONNX file', { timeout: 240_000 }, async () => {
    const out = join(folder, 'letters');
    const sizes = '--epochs 100 --hidden 64 --batch 8 --lr 0.006'.split(' ');
    const stdout = await runRecipe('speech/main.ts', ['--data', data, '--out', out, ...sizes]);
    expect(Number(/with dictionary ([\d.]+) %/.exec(stdout)?.[1])).toBeLessThanOrEqual(50);
    expect(Number(/letters ([\d.]+) %/.exec(stdout)?.[1])).toBeLessThanOrEqual(60);
    const model = await OnnxModel.load(join(out, 'model.onnx'));
    // Silence of another length is computed without complaint: it is for `prepareSound` to refuse.
    const scores = model.forward({ x: zeros([3, 5000]), lengths: zeros([3], { dtype: 'int64' }).add(5000) });
    expect(scores.shape.slice(1)).toEqual([3, 16]);
    expect((await scores.data()).every(Number.isFinite)).toBe(true);
  });

  it('speakers from sound', { timeout: 120_000 }, async () => {
    const sizes = '--epochs 10 --hidden 32 --batch 6'.split(' ');
    const stdout = await runRecipe('speech/speaker.ts', ['--data', data, '--out', join(folder, 'speaker'), ...sizes]);
    expect(Number(/equal error rate ([\d.]+) % over 28 pairs/.exec(stdout)?.[1])).toBeLessThanOrEqual(25);
  });
});

describe('clips', () => {
  it('are split, and batched to whole half seconds', async () => {
    const { clips, refused } = await loadClips(data);
    expect([clips.length, clips.filter((c) => c.isTest).length, refused.length]).toEqual([32, 8, 0]);
    const first = (await batches(clips, ['jackson', 'theo'], 4, 1)[Symbol.asyncIterator]().next()).value;
    if (!first) throw new Error('no batch');
    expect(first.x.shape[1] % 4000).toBe(0);
    const letters = (await first.letters.array()) as number[][];
    const counts = (await first.count.array()) as number[];
    letters.forEach((row, i) => {
      expect(['one', 'two', 'six', 'eight']).toContain(spell(row.slice(0, counts[i])));
    });
    const [o, n, e] = ['o', 'n', 'e'].map(
      (c) => Array.from({ length: 15 }, (_, i) => i + 1).find((i) => spell([i]) === c) ?? 0,
    );
    expect(inDictionary([o, n], e)).toBe(0);
    expect(inDictionary([o, n], n)).toBeLessThan(-1000);
  });

  it('that are silent or damaged are listed with the reason; an archive without any is refused', async () => {
    const [{ bytes }] = await readTar(data);
    /** A tar archive of one file: its header with octal size and checksum, its bytes, padding. */
    const archive = (name: string, content: Uint8Array) => {
      const header = Buffer.alloc(512);
      header.write(name, 0);
      header.write(content.length.toString(8).padStart(11, '0'), 124);
      header.write('        ', 148);
      header.write('0', 156);
      header.write(
        header
          .reduce((a, b) => a + b)
          .toString(8)
          .padStart(6, '0'),
        148,
      );
      return Buffer.concat([header, content, Buffer.alloc(512 - (content.length % 512))]);
    };
    const silent = Uint8Array.from(bytes).fill(0, 44);
    const path = join(folder, 'bad.tar.gz');
    const files = [
      archive('1_theo_7.wav', bytes),
      archive('1_theo_8.wav', silent),
      archive('1_theo_9.wav', bytes.subarray(0, 90)),
    ];
    await writeFile(path, gzipSync(Buffer.concat(files)));
    const { clips, refused } = await loadClips(path);
    expect(clips.map((c) => c.name)).toEqual(['1_theo_7']);
    expect(refused).toEqual([
      '1_theo_8 is silent (-Infinity dB)',
      expect.stringMatching(/^1_theo_9: .*the file is truncated$/),
    ]);
    await writeFile(path, gzipSync(archive('readme.txt', bytes)));
    await expect(loadClips(path)).rejects.toThrow(ArgumentError);
  });
});
