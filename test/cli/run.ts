/** @file Runs the command line in a process of its own. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll } from 'vitest';
import { runCli } from '../../src/cli/run-cli.ts';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Sends SIGINT when stdout holds this. */
  readonly interruptAt?: string;
}

const root = resolve(import.meta.dirname, '../..');
const tsx = import.meta.resolve('tsx');

/** `gradus ...args`. */
export function gradus(
  args: readonly string[],
  { cwd = root, env = {}, interruptAt }: RunOptions = {},
): Promise<Outcome> {
  const start = ['--import', tsx, '-C', 'gradus-source', join(root, 'src/cli/main.ts')];
  const { NO_COLOR: _, FORCE_COLOR: __, ...rest } = process.env;
  const child = spawn(process.execPath, [...start, ...args], {
    cwd,
    env: { ...rest, COLUMNS: '100', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  let interrupted = false;
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    if (interruptAt === undefined || interrupted || !stdout.includes(interruptAt)) return;
    interrupted = true;
    child.kill('SIGINT');
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((done) => child.on('close', (code) => done({ code, stdout, stderr })));
}

/** The same in this process, which is much faster; for all that needs no process of its own. */
export async function here(args: readonly string[]): Promise<Outcome> {
  const written = { stdout: '', stderr: '' };
  const restore = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name];
    const { write } = stream;
    stream.write = (chunk: string | Uint8Array) => {
      written[name] += typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk);
      return true;
    };
    return () => {
      stream.write = write;
    };
  });
  try {
    return { code: await runCli(args), ...written };
  } finally {
    for (const undo of restore) undo();
  }
}

/** A temporary folder for a test file, removed after it. */
export async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gradus-cli-'));
  afterAll(async () => await rm(folder, { recursive: true, force: true }));
  return folder;
}
