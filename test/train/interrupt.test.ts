import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Outcome {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** Runs the child; `interrupt` is sent when the given step is reported. */
function train(out: string, resume: boolean, interrupt?: { signal: NodeJS.Signals; step: number }): Promise<Outcome> {
  const args = [
    '-C',
    'gradus-source',
    '--import',
    'tsx',
    join(import.meta.dirname, 'child.ts'),
    out,
    '3',
    resume ? '1' : '0',
  ];
  const child = spawn(process.execPath, [...args, interrupt ? '5' : '0'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    if (interrupt && stderr.includes(`step ${interrupt.step}\n`)) child.kill(interrupt.signal);
  });
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })));
}

describe('an interrupted run', () => {
  it('resumes after kill -9 and Ctrl-C to the weights of an uninterrupted one', async () => {
    const whole = await train(join(folder, 'whole'), false);
    expect(whole.code, whole.stderr).toBe(0);
    const out = join(folder, 'parts');
    const killed = await train(out, false, { signal: 'SIGKILL', step: 8 });
    expect(killed.signal).toBe('SIGKILL');
    const stopped = await train(out, true, { signal: 'SIGINT', step: 18 });
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stderr).toMatch(/interrupted at step \d+; checkpoint saved in .*resume: true/);
    const resumed = await train(out, true);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stderr).not.toContain('step 18\n');
    expect(JSON.parse(resumed.stdout)).toEqual(JSON.parse(whole.stdout));
    expect((await readdir(join(out, 'checkpoints'))).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});
