/** @file The programs that are compared, their settings, and running one of them in a fresh process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Measurement, MemorySample, WorkloadName } from './spec.ts';

/** This file runs as bench/build/peers.js. */
const bench = join(import.meta.dirname, '..');

export type PeerName = 'gradus' | 'torch' | 'tfjs' | 'jaxjs';

/** One way to run a peer; of several, the fastest counts. */
export interface Setting {
  readonly peer: PeerName;
  /** Settings of one group are decided by a short trial; the fastest of each group is measured in every round. */
  readonly group: string;
  /** What is special about it, for the table. */
  readonly label: string;
  readonly command: string;
  /** Arguments before and after `<workload> <seconds>`. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export const PEER_TITLES: Record<PeerName, string> = {
  gradus: 'Gradus',
  torch: 'PyTorch',
  tfjs: 'TensorFlow.js wasm',
  jaxjs: 'jax-js',
};

/** A Node of version 22 or later, for jax-js: this one, or the one that setup.sh installed. */
function newNode(): string | undefined {
  if (Number.parseInt(process.versions.node, 10) >= 22) return process.execPath;
  const modules = join(bench, 'peers/node_modules');
  if (!existsSync(modules)) return undefined;
  const folder = readdirSync(modules).find((name) => /^node-(linux|darwin)-/.test(name));
  return folder && join(modules, folder, 'bin/node');
}

function torchSettings(workload: WorkloadName): Setting[] {
  const command = process.env.BENCH_PYTHON ?? join(bench, '.venv/bin/python');
  const threads = { OMP_NUM_THREADS: String(availableParallelism()) };
  const layouts = workload === 'w2' || workload === 'w6' ? ['', 'channels_last'] : [''];
  const settings: Setting[] = [];
  for (const layout of layouts)
    for (const fused of ['', 'fused'])
      for (const wait of ['passive', 'default']) {
        const flags = [layout, fused].filter(Boolean);
        settings.push({
          peer: 'torch',
          // Which waiting policy wins depends on what else the machine does at the moment, so both stay in the race.
          group: wait,
          label: [...flags, `OMP_WAIT_POLICY ${wait}`].join(', '),
          command,
          before: [join(bench, 'peers/torch_peer.py')],
          after: flags.length > 0 ? [flags.join(',')] : [],
          env: { ...threads, ...(wait === 'passive' ? { OMP_WAIT_POLICY: 'PASSIVE' } : {}) },
        });
      }
  return settings;
}

function jaxSettings(): Setting[] {
  const command = newNode();
  if (!command) return [];
  return ['', 'workers'].map((threads) => ({
    peer: 'jaxjs',
    group: '',
    label: threads || 'one thread',
    command,
    before: [join(bench, 'peers/jaxjs.mjs')],
    after: threads ? [threads] : [],
    env: {},
  }));
}

/** All settings in which a peer is tried on a workload; none if what it needs is not installed. */
export function settingsOf(peer: PeerName, workload: WorkloadName): Setting[] {
  if (peer === 'torch') return torchSettings(workload);
  if (peer === 'jaxjs') return jaxSettings();
  const own = { peer, group: '', command: process.execPath, env: {} };
  if (peer === 'tfjs') return [{ ...own, label: '', before: [join(bench, 'peers/tfjs.mjs')], after: [] }];
  const before = [join(bench, 'build/gradus.js')];
  return [
    { ...own, label: 'compiled step', before, after: [] },
    { ...own, label: 'bare loop', before, after: ['loop'] },
  ];
}

/** Why a run gave nothing. */
export class PeerFailure extends Error {}

export interface Run extends Measurement {
  /** From starting the process to the line it printed. */
  readonly wallMs: number;
}

/** @throws PeerFailure with the end of the program's error output if it printed no result. */
export async function runPeer(setting: Setting, workload: WorkloadName, seconds: number): Promise<Run> {
  const args = [...setting.before, workload, String(seconds), ...setting.after];
  const { result, wallMs } = await runProgram(setting.command, args, setting.env);
  return { ...(result as Measurement), wallMs };
}

/** Memory of Gradus over many steps of a workload. @throws PeerFailure as `runPeer`. */
export async function runSteady(workload: WorkloadName, steps: number, loop: boolean): Promise<MemorySample[]> {
  const args = ['--expose-gc', join(bench, 'build/steady.js'), workload, String(steps), ...(loop ? ['loop'] : [])];
  const { result } = await runProgram(process.execPath, args, {});
  return (result as { samples: MemorySample[] }).samples;
}

async function runProgram(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ result: unknown; wallMs: number }> {
  const environment = { ...process.env, OMP_WAIT_POLICY: undefined, ...env };
  const started = performance.now();
  const child = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), 10 * 60_000);
  try {
    const { line, at, errors } = await firstResult(child);
    if (!line) throw new PeerFailure(lastError(errors));
    return { result: JSON.parse(line), wallMs: at - started };
  } finally {
    clearTimeout(timer);
  }
}

/** The line that names the error, of Node's or Python's output. */
function lastError(errors: string): string {
  const lines = errors.trim().split('\n');
  return lines.findLast((line) => /\w*(Error|Exception)\b/.test(line))?.trim() ?? lines.at(-1) ?? 'no output';
}

function firstResult(child: ChildProcess): Promise<{ line: string | undefined; at: number; errors: string }> {
  let output = '';
  let errors = '';
  let at = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk;
    if (at === 0 && output.includes('\n')) at = performance.now();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ line: undefined, at, errors: String(error) }));
    child.on('close', () => resolve({ line: output.split('\n').find((l) => l.startsWith('{')), at, errors }));
  });
}
