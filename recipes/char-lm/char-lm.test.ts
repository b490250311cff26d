import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArgumentError } from 'gradus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runRecipe } from '../run.ts';
import { characters, pieces, readText, split } from './data.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-char-lm-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

// 100,000 characters (the head of Tiny Shakespeare) and a small network instead of the whole text.
const small = '--epochs 3 --hidden 96 --layers 1 --batch 16 --steps 50 --lr 0.01'.split(' ');
const excerpt = join(import.meta.dirname, 'excerpt.txt');

describe('short runs', () => {
  it.each(['lstm', 'gru'])('%s: bits per character, a sample, an ONNX file', { timeout: 180_000 }, async (cell) => {
    const out = join(folder, cell);
    const stdout = await runRecipe('char-lm/main.ts', ['--cell', cell, '--data', excerpt, '--out', out, ...small]);
    expect(Number(/best: ([\d.]+) bits/.exec(stdout)?.[1])).toBeLessThan(2.7);
    expect(Number(/differs by (\S+) at most/.exec(stdout)?.[1])).toBeLessThan(1e-4);
    expect(await readFile(join(out, 'sample.txt'), 'utf8')).toMatch(/^ROMEO:[\s\S]{300,}/);
    expect(await readFile(join(out, 'curves.svg'), 'utf8')).toContain('bits per character');
  });
});

describe('any text', () => {
  const tiny = '--epochs 1 --hidden 4 --layers 1 --batch 4 --steps 50'.split(' ');
  it.each([
    ['of one character', 'a'.repeat(200)],
    ['of one short line with a Windows line end', 'So it goes, and on it goes.\r\n'],
  ])('%s', { timeout: 60_000 }, async (name, text) => {
    const path = join(folder, 'some.txt');
    await writeFile(path, text);
    const stdout = await runRecipe('char-lm/main.ts', ['--data', path, '--out', join(folder, name), ...tiny]);
    expect(stdout).toContain('model.onnx, read back');
  });
});

describe('text', () => {
  it('streams go on from piece to piece, and y is x one character later', async () => {
    const ids = Array.from({ length: 21 }, (_, i) => i);
    const all = await Promise.all([...pieces(ids, 2, 4)].map(async ({ x, y }) => [await x.array(), await y.array()]));
    expect(all.map(([x]) => x)).toEqual([
      [
        [0, 1, 2, 3],
        [10, 11, 12, 13],
      ],
      [
        [4, 5, 6, 7],
        [14, 15, 16, 17],
      ],
      [
        [8, 9],
        [18, 19],
      ],
    ]);
    expect(all[2][1]).toEqual([
      [9, 10],
      [19, 20],
    ]);
    expect(split(ids).map((part) => part.length)).toEqual([18, 3]);
  });

  it('unknown characters are read as number 0 and written as nothing', () => {
    const vocabulary = characters('hello');
    expect(vocabulary.size).toBe(5);
    expect(vocabulary.encode('hö€l')).toEqual([vocabulary.id('h'), 0, 0, vocabulary.id('l')]);
    expect(vocabulary.decode(vocabulary.encode('hö€l'))).toBe('hl');
    expect(vocabulary.encode('')).toEqual([]);
  });

  it('refuses texts that are empty, too short or no text', async () => {
    expect(() => [...pieces([], 1, 4)]).toThrow(ArgumentError);
    expect(() => [...pieces([1, 2, 3], 3, 4)]).toThrow('a text of 3 characters is too short for 3 streams; it needs 4');
    const path = join(folder, 'latin1.txt');
    await writeFile(path, Buffer.from([0x68, 0xf6, 0x72]));
    await expect(readText(path)).rejects.toThrow(`${path} is not UTF-8 text`);
    await expect(readText(folder)).rejects.toThrow(
      /has no file tinyshakespeare\/input\.txt\.gz; it can be had from https/,
    );
  });
});
