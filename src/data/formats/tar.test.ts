import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FormatError } from '../../ir/errors.ts';
import { readTar } from '../readers/arrays.ts';
import { parseTar } from './tar.ts';

let folder = '';
const long = `${'d'.repeat(90)}/${'n'.repeat(90)}.txt`;
const pack = (format: string, ...options: string[]) => {
  const path = join(folder, `${format}${options.join('')}.tar`);
  execFileSync('tar', [
    '-C',
    join(folder, 'in'),
    `--format=${format}`,
    ...options,
    '-cf',
    path,
    'a.txt',
    'empty',
    'link',
    long,
  ]);
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gradus-tar-'));
  mkdirSync(join(folder, 'in', 'd'.repeat(90)), { recursive: true });
  writeFileSync(join(folder, 'in', 'a.txt'), 'hello');
  writeFileSync(join(folder, 'in', 'empty'), '');
  writeFileSync(join(folder, 'in', long), 'x'.repeat(600));
  execFileSync('ln', ['-s', 'a.txt', join(folder, 'in', 'link')]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each(['ustar', 'pax', 'gnu'])('reads the files of %s archives, gzip or not, links left out', async (format) => {
  for (const path of [pack(format), pack(format, '-z')]) {
    const entries = await readTar(path);
    expect(entries.map((e) => [e.name, e.bytes.length])).toEqual([
      ['a.txt', 5],
      ['empty', 0],
      [long, 600],
    ]);
    expect(new TextDecoder().decode(entries[0].bytes)).toBe('hello');
  }
});

it('refuses archives that are damaged or cut off', () => {
  const good = new Uint8Array(readFileSync(pack('ustar')));
  expect(() => parseTar(good.subarray(0, 700), { name: 'a.tar' })).not.toThrow();
  expect(() => parseTar(good.subarray(0, 515), { name: 'a.tar' })).toThrow(
    'a.tar: the file at byte 0 claims 5 bytes, 3 are there',
  );
  expect(() => parseTar(new Uint8Array(600).fill(7))).toThrow('no tar header at byte 0');
  expect(() => parseTar(new Uint8Array(9))).toThrow('no tar archive (9 bytes)');
  const lies = Uint8Array.from(good);
  lies.set(new TextEncoder().encode('77777777777'), 124);
  expect(() => parseTar(lies)).toThrow(FormatError);
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
      const bytes = Uint8Array.from(good);
      bytes[at] = byte;
      try {
        parseTar(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }),
    { seed: 3, numRuns: 300 },
  );
});
