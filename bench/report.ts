/** @file What the benchmark keeps (results.json) and the tables made of it. */
import type { Machine } from './machine.ts';
import { PEER_TITLES, type PeerName, type Run } from './peers.ts';
import { type MemorySample, WORKLOADS, type WorkloadName } from './spec.ts';

/** A peer's runs of one workload, in the setting that was fastest. Times in milliseconds. */
export interface PeerResult {
  readonly setting: string;
  readonly version: string;
  /** Median, least and greatest of the runs' medians. */
  readonly medianMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly firstStepMs: number;
  readonly peakRssMb: number;
  /** Growth from the loaded library to the peak: comparable where the libraries themselves are of unlike size. */
  readonly grownRssMb: number;
  readonly runs: number;
  readonly losses: readonly number[];
}

export interface WorkloadResult {
  readonly date: string;
  /** Load of the machine (processes waiting to run, one-minute mean) when the measurement began. */
  readonly loadBefore: number;
  readonly peers: Partial<Record<PeerName, PeerResult>>;
  /** Empty if all peers' losses agree. */
  readonly disagreements: readonly string[];
  readonly failures: Partial<Record<PeerName, string>>;
}

/** Milliseconds from starting the process to the end of its first w1 step. */
export type ColdResult = Partial<
  Record<PeerName, { readonly medianMs: number; readonly minMs: number; readonly maxMs: number }>
>;

/** Gradus's memory every 1,000 steps. */
export interface SteadyResult {
  readonly compiled: readonly MemorySample[];
  readonly loop: readonly MemorySample[];
}

export interface Results {
  readonly machine: Machine;
  readonly workloads: Partial<Record<WorkloadName, WorkloadResult>>;
  readonly cold?: ColdResult;
  readonly steady?: SteadyResult;
}

/** Ratios that docs/architecture.md promises: speed against PyTorch, and against the faster of the JavaScript peers. */
const BARS: Record<WorkloadName, number> = { w1: 1, w2: 1, w6: 1, w3: 1.1, w4: 1.5, w5: 2 };
const JAVASCRIPT_BAR = 4;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[sorted.length >> 1] + sorted[(sorted.length - 1) >> 1]) / 2;
}

export function summarise(setting: string, runs: readonly Run[]): PeerResult {
  const medians = runs.map((r) => r.medianMs);
  return {
    setting,
    version: runs[0].version,
    medianMs: digits(median(medians)),
    minMs: digits(Math.min(...medians)),
    maxMs: digits(Math.max(...medians)),
    firstStepMs: digits(median(runs.map((r) => r.firstStepMs))),
    peakRssMb: Math.max(...runs.map((r) => r.peakRssMb)),
    grownRssMb: Math.max(...runs.map((r) => r.peakRssMb - r.baseRssMb)),
    runs: runs.length,
    losses: runs[0].losses.map((loss) => Number(loss.toFixed(6))),
  };
}

/**
 * Losses that differ from the reference's: at the first three steps by more than 1e-3 of the value, later by more than
 * 2%, because rounding differences grow from step to step (at w3's learning rate the fastest).
 */
export function lossDisagreements(peers: WorkloadResult['peers']): string[] {
  const [reference, ...others] = (['torch', 'jaxjs', 'tfjs', 'gradus'] as const).filter((peer) => peers[peer]);
  const out: string[] = [];
  for (const peer of others)
    for (const [i, loss] of peers[peer]!.losses.entries()) {
      const expected = peers[reference]!.losses[i];
      const allowed = (i < 3 ? 1e-3 : 2e-2) * Math.max(1, Math.abs(expected));
      if (expected !== undefined && !(Math.abs(loss - expected) <= allowed))
        out.push(`${PEER_TITLES[peer]}: loss ${loss} at step ${i + 1}, ${PEER_TITLES[reference]} has ${expected}`);
    }
  return out;
}

const digits = (value: number, count = 4): number => Number(value.toPrecision(count));
const times = (value: number): string => `${digits(value, 3)}x`;
const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
const head = (cells: readonly string[]): string[] => [row(cells), row(cells.map(() => '---'))];

/** The result as Markdown: ratios first, then every peer. */
export function markdown(results: Results): string {
  const { machine: m } = results;
  const facts = `${m.processor}, ${m.cores} cores (${m.instructions.join(', ')}), ${m.memoryGiB} GiB, ${m.system}, Node ${m.node}`;
  const names = (Object.keys(BARS) as WorkloadName[]).filter((name) => results.workloads[name]);
  const problems = names.flatMap((name) => {
    const { disagreements, failures } = results.workloads[name]!;
    return [...disagreements, ...Object.entries(failures).map(([peer, why]) => `${peer}: ${why}`)].map(
      (p) => `- ${name}: ${p}`,
    );
  });
  return [
    `Machine: ${facts}.`,
    '',
    'Speed of Gradus (times the peer; bar in brackets):',
    '',
    ...head([
      'work',
      'step, ms',
      'against PyTorch',
      'against the faster of TensorFlow.js and jax-js',
      'peak memory against PyTorch',
      'its growth since loading',
    ]),
    ...names.map((name) => ratioRow(name, results.workloads[name]!)),
    '',
    'Every peer in its fastest setting (times of a step in ms; losses agree unless noted below):',
    '',
    ...head([
      'work',
      'peer',
      'median',
      'least to greatest run',
      'runs',
      'first step',
      'peak memory, MB',
      'growth, MB',
      'setting',
    ]),
    ...names.flatMap((name) => peerRows(name, results.workloads[name]!)),
    ...(results.cold ? ['', ...coldTable(results.cold)] : []),
    ...(results.steady ? ['', ...steadyTable(results.steady)] : []),
    ...(problems.length > 0 ? ['', 'To note:', '', ...problems] : []),
  ].join('\n');
}

function ratioRow(name: WorkloadName, { peers }: WorkloadResult): string {
  const { gradus, torch, tfjs, jaxjs } = peers;
  const script = Math.min(tfjs?.medianMs ?? Infinity, jaxjs?.medianMs ?? Infinity);
  const against = (ms: number | undefined, bar: number) =>
    gradus && ms !== undefined && Number.isFinite(ms) ? `${times(ms / gradus.medianMs)} (${bar}x)` : '-';
  return row([
    `${name} ${WORKLOADS[name].title}`,
    gradus?.medianMs ?? '-',
    against(torch?.medianMs, BARS[name]),
    against(script, JAVASCRIPT_BAR),
    gradus && torch ? times(gradus.peakRssMb / torch.peakRssMb) : '-',
    gradus && torch ? times(gradus.grownRssMb / torch.grownRssMb) : '-',
  ]);
}

function peerRows(name: WorkloadName, { peers }: WorkloadResult): string[] {
  return (Object.keys(PEER_TITLES) as PeerName[]).flatMap((peer) => {
    const r = peers[peer];
    if (!r) return [];
    const title = `${PEER_TITLES[peer]} ${r.version}`;
    return [
      row([
        name,
        title,
        r.medianMs,
        `${r.minMs} to ${r.maxMs}`,
        r.runs,
        r.firstStepMs,
        r.peakRssMb,
        r.grownRssMb,
        r.setting || '-',
      ]),
    ];
  });
}

function steadyTable({ compiled, loop }: SteadyResult): string[] {
  const rows = [...compiled, ...loop].map(({ step, residentMb, heapMb, outsideMb }, i) => {
    const kind = i < compiled.length ? 'compiled step' : 'bare loop';
    return row([kind, step, residentMb, heapMb, outsideMb]);
  });
  const kept = rows.filter((_, i) => i % (compiled.length / 5) === 1);
  const cells = ['w1', 'after step', 'resident, MB', 'JavaScript heap, MB', 'buffers, MB'];
  return ['Memory of Gradus over many steps:', '', ...head(cells), ...kept];
}

function coldTable(cold: ColdResult): string[] {
  const rows = (Object.keys(PEER_TITLES) as PeerName[]).flatMap((peer) => {
    const r = cold[peer];
    return r ? [row([PEER_TITLES[peer], digits(r.medianMs, 3), `${digits(r.minMs, 3)} to ${digits(r.maxMs, 3)}`])] : [];
  });
  return [
    'Cold start, from starting the process to the end of its first w1 step, ms:',
    '',
    ...head(['peer', 'median', 'least to greatest']),
    ...rows,
  ];
}
