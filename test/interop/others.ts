/** @file What the checks against other programs share: transformers.js in a folder of its own, and numbers that must agree. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** @throws Error where numbers differ by more than single precision explains. */
export function compare(what: string, expected: readonly number[], found: readonly number[]): void {
  const worst = Math.max(...expected.map((v, i) => Math.abs(v - found[i])));
  if (!(worst < 1e-4) || expected.length !== found.length) throw new Error(`${what} differs by up to ${worst}`);
  console.log(`ok   ${what}: ${expected.length} numbers differ by at most ${worst.toExponential(1)}`);
}

/** Runs `task` with a folder that is removed afterwards. */
export async function inScratch(task: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'gradus-interop-'));
  try {
    await task(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What a module of transformers.js prints as JSON for its arguments; `modules` has it installed, or gets it here. */
export async function byTransformersJs({
  script,
  args,
  modules,
  scratch,
}: {
  script: string;
  args: readonly string[];
  modules?: string;
  scratch: string;
}): Promise<unknown> {
  const folder = modules ?? scratch;
  if (modules === undefined)
    execFileSync(
      'npm',
      ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '@huggingface/transformers@4'],
      { stdio: 'inherit' },
    );
  const path = join(folder, 'check.mjs');
  await writeFile(path, script);
  const out = execFileSync(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  return JSON.parse(out.toString());
}

/** What a Python script prints as JSON for `input`; undefined, with a word about it, where GRADUS_PYTHON names no Python. */
export function byPython(script: string, args: readonly string[], input: unknown): unknown {
  const python = process.env.GRADUS_PYTHON;
  if (!python) {
    console.log("     Python's transformers was left out: GRADUS_PYTHON names no Python");
    return undefined;
  }
  const out = execFileSync(python, [script, ...args], { input: JSON.stringify(input), maxBuffer: 1 << 28 });
  return JSON.parse(out.toString());
}
