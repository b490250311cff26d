/** @file Debug output by level, dumps, the profile per operator, in a process of its own as a user starts it. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { printProfile, sumProfiles } from '../../src/runtime/profile.ts';

const run = promisify(execFile);
const child = fileURLToPath(new URL('./debug-child.ts', import.meta.url));

async function debugOutput(settings: Record<string, string>): Promise<string> {
  const args = ['--import', 'tsx', '-C', 'gradus-source', child];
  const { stdout, stderr } = await run('node', args, { env: { ...process.env, ...settings } });
  expect(JSON.parse(stdout)).toEqual([8, 11, 16, 23]);
  return stderr;
}

describe('GRADUS_DEBUG', () => {
  it('0 prints nothing', async () => {
    expect(await debugOutput({ GRADUS_DEBUG: '0' })).toBe('');
  });

  it('1 prints a line per program', async () => {
    const lines = (await debugOutput({ GRADUS_DEBUG: '1' })).trim().split('\n');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^gradus program 0 [0-9a-f]{8}: 2 nodes, \d+ bytes, compiled in [\d.]+ ms$/);
  });

  it('2 adds the passes, 3 the graph as text', async () => {
    const [two, three] = [await debugOutput({ GRADUS_DEBUG: '2' }), await debugOutput({ GRADUS_DEBUG: '3' })];
    expect(two).toMatch(/gradus program 0 pass decompose: 2 -> 2 nodes/);
    expect(two).not.toContain('MatMul');
    expect(three).toContain('%0 = MatMul($0:float32[2, 2], $0:float32[2, 2]) : float32[2, 2]\n%1 = Add(%0, 1)');
  });

  it('4 adds the time per kind of operator, at the end', async () => {
    const lines = (await debugOutput({ GRADUS_DEBUG: '4' })).trim().split('\n').slice(-3);
    expect(lines[0]).toMatch(/^gradus profile: [\d.]+ ms in 2 kinds of operators$/);
    expect(
      lines
        .slice(1)
        .sort()
        .map((l) => l.trim().split(/ +/)[0]),
    ).toEqual(['Add', 'MatMul']);
    expect(lines[1]).toMatch(/^ {2}\w+ +[\d.]+% +[\d.]+ ms +1 x$/);
  });
});

describe('GRADUS_DUMP', () => {
  it('writes each program as a file that ONNX Runtime opens', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gradus-dump-'));
    try {
      await debugOutput({ GRADUS_DUMP: folder });
      const files = await readdir(folder);
      expect(files).toEqual([expect.stringMatching(/^program-0-[0-9a-f]{8}\.onnx$/)]);
      const session = await InferenceSession.create(await readFile(join(folder, files[0])));
      expect(session.inputNames).toEqual(['x0']);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('profiles', () => {
  const event = (op: string, dur: number, name = `${op}_1_kernel_time`) =>
    JSON.stringify({ cat: 'Node', name, dur, args: { op_name: op } });

  it('sum kernel times by kind of operator', () => {
    const text = `[${event('Gemm', 3000)},${event('Add', 500)},${event('Gemm', 500)},${event('Add', 9e9, 'Add_fence_before')}]`;
    expect(sumProfiles([text, '[]'])).toEqual([
      { op: 'Gemm', runs: 2, milliseconds: 3.5, share: 0.875 },
      { op: 'Add', runs: 1, milliseconds: 0.5, share: 0.125 },
    ]);
  });

  it('count what is whole in a file that was cut off, and nothing in one that is no profile', () => {
    const text = `[\n${event('Gemm', 3000)},\n${event('Add', 500)},\n{"cat":"No`;
    expect(sumProfiles([text]).map((t) => t.op)).toEqual(['Gemm']);
    expect(sumProfiles(['', 'nonsense', '{'])).toEqual([]);
  });

  it('print the 15 costliest', () => {
    const times = sumProfiles([`[${Array.from({ length: 20 }, (_, i) => event(`Op${i}`, 100 + i)).join()}]`]);
    const lines = printProfile(times).split('\n');
    expect(lines).toHaveLength(16);
    expect(lines[1]).toContain('Op19');
  });
});
