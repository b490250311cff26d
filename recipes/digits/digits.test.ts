import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-digits-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

it('reads digits after three epochs, and keeps what it learned', { timeout: 240_000 }, async () => {
  const script = join(import.meta.dirname, 'main.ts');
  const args = ['-C', 'gradus-source', '--import', 'tsx', script, folder, '3'];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
  expect(stderr).toBe('');
  const accuracy = Number(/test accuracy ([\d.]+)/.exec(stdout)?.[1]);
  expect(accuracy).toBeGreaterThan(0.95);
  expect(stdout).toMatch(/takes the digits (\d \d \d \d \d) for \1/);
  const lines = (await readFile(join(folder, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line)).filter((r) => r.phase === 'epoch')).toHaveLength(3);
  expect(await readFile(join(folder, 'report.svg'), 'utf8')).toContain('Wrong predictions');
});
