import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ArgumentError, FormatError } from '../ir/errors.ts';
import { FileError, readFileBounded, removeStaleTemporaries, resolveInside, writeFileAtomic } from './files.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'gradus-files-'));
let folder = root;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(root, 't-'));
});
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

/** Runs `writeFileAtomic(target, 4 MiB)` in a child process started by `sh -c` after `setup`. */
function writeInChild(setup: string, target: string) {
  const module = pathToFileURL(path.resolve('src/train/files.ts')).href;
  const script = `
    import { writeFileAtomic } from ${JSON.stringify(module)};
    async function* chunks() { for (let i = 0; i < 64; i++) yield new Uint8Array(65536).fill(i); }
    await writeFileAtomic(${JSON.stringify(target)}, chunks()).then(
      (n) => console.log(JSON.stringify({ n })),
      (e) => console.log(JSON.stringify({ name: e.name, code: e.code, bytes: e.bytes, message: e.message })));`;
  const file = path.join(folder, 'child.mjs');
  fs.writeFileSync(file, script);
  const run = spawnSync('sh', ['-c', `${setup} exec "$0" --import tsx "$1"`, process.execPath, file], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return JSON.parse(run.stdout || JSON.stringify({ stderr: run.stderr, signal: run.signal }));
}

describe('writeFileAtomic', () => {
  it('writes text, bytes and chunks, makes folders, and leaves nothing else', async () => {
    const file = path.join(folder, 'a', 'b', 'x.txt');
    expect(await writeFileAtomic(file, 'héllo')).toBe(6);
    expect(fs.readFileSync(file, 'utf8')).toBe('héllo');
    expect(await writeFileAtomic(file, Uint8Array.of(1, 2, 3))).toBe(3);
    async function* chunks() {
      yield Uint8Array.of(4, 5);
      yield new Uint8Array(0);
      yield Uint8Array.of(6);
    }
    expect(await writeFileAtomic(file, chunks())).toBe(3);
    expect([...fs.readFileSync(file)]).toEqual([4, 5, 6]);
    expect(fs.readdirSync(path.dirname(file))).toEqual(['x.txt']);
  });

  it('keeps the old file and passes on the error when the producer of the chunks fails', async () => {
    const file = path.join(folder, 'x');
    fs.writeFileSync(file, 'old');
    async function* chunks() {
      yield Uint8Array.of(1);
      throw new RangeError('from the producer');
    }
    await expect(writeFileAtomic(file, chunks())).rejects.toThrow(new RangeError('from the producer'));
    expect(fs.readFileSync(file, 'utf8')).toBe('old');
    expect(fs.readdirSync(folder)).toEqual(['x']);
  });

  it('follows links and keeps the mode', async () => {
    const real = path.join(folder, 'real');
    const link = path.join(folder, 'link');
    fs.writeFileSync(real, 'old', { mode: 0o600 });
    fs.symlinkSync(real, link);
    await writeFileAtomic(link, 'new');
    expect(fs.lstatSync(link).isSymbolicLink()).toBe(true);
    expect(fs.readFileSync(real, 'utf8')).toBe('new');
    expect(fs.statSync(real).mode & 0o777).toBe(0o600);
  });

  it('names the path and the remedy when the target cannot be written', async () => {
    fs.mkdirSync(path.join(folder, 'dir', 'inner'), { recursive: true });
    await expect(writeFileAtomic(path.join(folder, 'dir'), 'x')).rejects.toThrow(FileError);
    expect(fs.readdirSync(folder)).toEqual(['dir']);
    fs.writeFileSync(path.join(folder, 'plain'), '');
    await expect(writeFileAtomic(path.join(folder, 'plain', 'x'), 'x')).rejects.toThrow(/cannot write .*plain\/x/);
  });

  it('ends with an error where folders cannot be made', async () => {
    if (process.platform !== 'linux') return;
    await expect(writeFileAtomic('/proc/none/a/x', 'x')).rejects.toThrow(/cannot write \/proc\/none\/a\/x: .*ENOENT/);
  });

  it('leaves the old file intact at the limit of file size', () => {
    const file = path.join(folder, 'x');
    fs.writeFileSync(file, 'old');
    const result = writeInChild('ulimit -f 200;', file);
    expect(result).toMatchObject({ name: 'FileError', code: 'EFBIG' });
    expect(result.bytes).toBeGreaterThan(0);
    expect(result.message).toMatch(/cannot write .* after [\d,]+ bytes: .*ulimit -f.*previous file .* is unchanged/);
    expect(fs.readFileSync(file, 'utf8')).toBe('old');
    expect(fs.readdirSync(folder).sort()).toEqual(['child.mjs', 'x']);
  });

  it.runIf(canMount())('leaves the old file intact when the disk is full', () => {
    const mount = path.join(folder, 'mnt');
    fs.mkdirSync(mount);
    // The mount lives in a namespace of its own: what lies in it must be looked at from inside.
    const script = [
      'mount -t tmpfs -o size=1m tmpfs "$1" || exit 9; echo old > "$1/x";',
      'sh -c "$2"; ls -A "$1"; cat "$1/x"',
    ].join(' ');
    const module = pathToFileURL(path.resolve('src/train/files.ts')).href;
    fs.writeFileSync(
      path.join(folder, 'child.mjs'),
      `import { writeFileAtomic } from ${JSON.stringify(module)};
       await writeFileAtomic(${JSON.stringify(path.join(mount, 'x'))}, new Uint8Array(4 << 20)).catch((e) => console.log(e.code, e.bytes, e.message));`,
    );
    const child = `"${process.execPath}" --import tsx "${path.join(folder, 'child.mjs')}"`;
    const out = execFileSync('sh', ['-c', 'exec unshare -rm sh -c "$@"', 'sh', script, 'sh', mount, child], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    expect(out).toMatch(/^ENOSPC \d{6,7} cannot write .* after [\d,]+ bytes: the device is full: free some space/);
    expect(out.trim().split('\n').slice(1)).toEqual(['x', 'old']);
  });
});

function canMount(): boolean {
  const script = 'exec unshare -rm mount -t tmpfs -o size=64k tmpfs /tmp';
  return process.platform === 'linux' && spawnSync('sh', ['-c', script]).status === 0;
}

describe('removeStaleTemporaries', () => {
  it('removes files of dead processes only', async () => {
    const dead = spawnSync('true').pid;
    const stale = `.model.safetensors.${dead}-0123456789ab.tmp`;
    const live = `.model.safetensors.${process.pid}-0123456789ab.tmp`;
    for (const name of [stale, live, 'model.safetensors', '.other.tmp']) fs.writeFileSync(path.join(folder, name), '');
    expect(await removeStaleTemporaries(folder)).toEqual([stale]);
    expect(fs.readdirSync(folder).sort()).toEqual(['.other.tmp', live, 'model.safetensors'].sort());
    expect(await removeStaleTemporaries(path.join(folder, 'absent'))).toEqual([]);
  });
});

describe('resolveInside', () => {
  it('joins names and refuses those that leave the folder', () => {
    expect(resolveInside('/data', 'a/b.bin')).toBe(path.join('/data', 'a', 'b.bin'));
    expect(resolveInside('/data', './a..b')).toBe(path.join('/data', 'a..b'));
    for (const name of ['../x', 'a/../../x', '/etc/passwd', '..', '.', '', 'C:\\x', '..\\x', '\\\\host\\x', 'a\0b'])
      expect(() => resolveInside('/data', name), JSON.stringify(name)).toThrow(ArgumentError);
  });
});

describe('readFileBounded', () => {
  it('reads up to the bound and not beyond', async () => {
    const file = path.join(folder, 'x');
    fs.writeFileSync(file, '0123456789');
    expect(new TextDecoder().decode(await readFileBounded(file, 10))).toBe('0123456789');
    await expect(readFileBounded(file, 9)).rejects.toThrow(FormatError);
    await expect(readFileBounded(file, 9)).rejects.toThrow(/x has 10 bytes or more: expected at most 9/);
    await expect(readFileBounded(path.join(folder, 'none'), 9)).rejects.toThrow(/no such file or folder.*ENOENT/);
    await expect(readFileBounded(folder, 9e9)).rejects.toThrow(/is a folder.*EISDIR/);
  });

  it('bounds files that do not tell their size', async () => {
    if (process.platform !== 'linux') return;
    await expect(readFileBounded('/dev/zero', 100_000)).rejects.toThrow(FormatError);
    expect(new TextDecoder().decode(await readFileBounded('/proc/self/status', 1e6))).toMatch(/^Name:/);
  });
});
