/** @file The programs that are compared, their settings, and running one of them in a fresh process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Measurement, WorkloadName } from './spec.ts';

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
  const program = peer === 'gradus' ? join(bench, 'build/gradus.js') : join(bench, 'peers/tfjs.mjs');
  return [{ peer, group: '', label: '', command: process.execPath, before: [program], after: [], env: {} }];
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
  const environment = { ...process.env, OMP_WAIT_POLICY: undefined, ...setting.env };
  const started = performance.now();
  const child = spawn(setting.command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), 10 * 60_000);
  try {
    const { line, at, errors } = await firstResult(child);
    if (!line) throw new PeerFailure(errors.trim().split('\n').slice(-3).join(' ') || 'no output');
    return { ...(JSON.parse(line) as Measurement), wallMs: at - started };
  } finally {
    clearTimeout(timer);
  }
}

function firstResult(child: ChildProcess): Promise<{ line: string | undefined; at: number; errors: string }> {
  let output = '';
  let errors = '';
  let at = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk;
    if (at === 0 && output.includes('"losses"')) at = performance.now();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ line: undefined, at, errors: String(error) }));
    child.on('close', () => resolve({ line: output.split('\n').find((l) => l.startsWith('{')), at, errors }));
  });
}
