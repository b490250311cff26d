/** @file `npm run bench`: runs the peers alternately in fresh processes, prints a table and writes results.json. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine } from './machine.ts';
import {
  PEER_TITLES,
  PeerFailure,
  type PeerName,
  type Run,
  runPeer,
  runSteady,
  type Setting,
  settingsOf,
} from './peers.ts';
import {
  type ColdResult,
  lossDisagreements,
  markdown,
  median,
  type PeerResult,
  type Results,
  type SteadyResult,
  summarise,
  type WorkloadResult,
} from './report.ts';
import { WORKLOADS, type WorkloadName } from './spec.ts';

const HELP = `npm run bench -- [options]
  --workloads w1,w5   which (default: all, with cold and steady)
  --peers gradus,torch  which (default: gradus,torch,tfjs,jaxjs)
  --rounds 5          fresh processes for each peer and workload
  --seconds 6         time of each
  --dry               print the tables, write no file`;

/** A step slower than this (ms) is measured in the trial run only. */
const SLOW_STEP = 3000;

const bench = join(import.meta.dirname, '..');
const say = (text: string) => process.stderr.write(`${text}\n`);

interface Options {
  readonly peers: readonly PeerName[];
  readonly rounds: number;
  readonly seconds: number;
}

/**
 * One workload. First a short trial of all settings, which picks the fastest of each group; then rounds in which the
 * chosen ones alternate, so that a disturbance of the machine meets all of them.
 */
async function measureWorkload(name: WorkloadName, { peers, rounds, seconds }: Options): Promise<WorkloadResult> {
  const loadBefore = loadavg()[0];
  const failures: Partial<Record<PeerName, string>> = {};
  const racers: Racer[] = [];
  for (const peer of peers) {
    const settings = settingsOf(peer, name);
    if (settings.length === 0) failures[peer] = 'not installed (bench/setup.sh)';
    const trials: Racer[] = [];
    for (const setting of settings) {
      const run = await attempt(setting, name, Math.min(seconds, Math.max(1, seconds / 3)), failures);
      if (!run) continue;
      say(`${name} trial ${title(setting)}: ${run.medianMs.toPrecision(4)} ms`);
      trials.push({ setting, trial: run, runs: [] });
    }
    for (const group of new Set(trials.map((t) => t.setting.group)))
      racers.push(fastest(trials.filter((t) => t.setting.group === group)));
  }
  for (let round = 0; round < rounds; round++)
    for (const { setting, trial, runs } of racers) {
      if (trial.medianMs > SLOW_STEP) continue;
      const run = await attempt(setting, name, seconds, failures);
      if (!run) continue;
      say(`${name} round ${round + 1} ${title(setting)}: ${run.medianMs.toPrecision(4)} ms`);
      runs.push(run);
    }
  const results: Partial<Record<PeerName, PeerResult>> = {};
  for (const peer of peers) {
    const entered = racers.filter((r) => r.setting.peer === peer);
    if (entered.length === 0) continue;
    const { setting, trial, runs } = fastest(entered);
    results[peer] = summarise(setting.label, runs.length > 0 ? runs : [trial]);
  }
  const disagreements = lossDisagreements(results);
  return { date: new Date().toISOString().slice(0, 10), loadBefore, peers: results, disagreements, failures };
}

/** A run, or undefined with the reason noted. */
async function attempt(
  setting: Setting,
  name: WorkloadName,
  seconds: number,
  failures: Partial<Record<PeerName, string>>,
): Promise<Run | undefined> {
  try {
    return await runPeer(setting, name, seconds);
  } catch (error) {
    if (!(error instanceof PeerFailure)) throw error;
    say(`${name} ${title(setting)} failed: ${error.message}`);
    failures[setting.peer] = `${setting.label}: ${error.message}`;
    return undefined;
  }
}

/** A setting in the race, with its trial run and its counted runs. */
interface Racer {
  readonly setting: Setting;
  readonly trial: Run;
  readonly runs: Run[];
}

const title = ({ peer, label }: Setting) => [PEER_TITLES[peer], label].filter(Boolean).join(', ');

function fastest(racers: readonly Racer[]): Racer {
  const time = ({ trial, runs }: Racer) => (runs.length > 0 ? median(runs.map((r) => r.medianMs)) : trial.medianMs);
  return racers.toSorted((a, b) => time(a) - time(b))[0];
}

async function measureColdStart({ peers, rounds }: Options): Promise<ColdResult> {
  const walls = new Map<PeerName, number[]>();
  for (let round = 0; round <= rounds; round++)
    for (const peer of peers) {
      const setting = settingsOf(peer, 'w1')[0];
      if (!setting) continue;
      try {
        const { wallMs } = await runPeer(setting, 'w1', 0);
        // The first round only brings the files into the system's cache.
        if (round > 0) walls.set(peer, [...(walls.get(peer) ?? []), wallMs]);
      } catch (error) {
        if (!(error instanceof PeerFailure)) throw error;
        say(`cold start of ${PEER_TITLES[peer]} failed: ${error.message}`);
      }
    }
  const entries = [...walls].map(([peer, ms]) => [
    peer,
    { medianMs: Math.round(median(ms)), minMs: Math.round(Math.min(...ms)), maxMs: Math.round(Math.max(...ms)) },
  ]);
  return Object.fromEntries(entries);
}

/** Gradus's memory over 10,000 steps of w1, for the compiled step and the bare loop. */
async function measureSteadyMemory(): Promise<SteadyResult> {
  const steps = 10_000;
  return { compiled: await runSteady('w1', steps, false), loop: await runSteady('w1', steps, true) };
}

/** Writes beside the file and renames, so that an interrupted run leaves the old one. */
function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function updateReadme(table: string): void {
  const path = join(bench, 'README.md');
  const text = readFileSync(path, 'utf8');
  const [before, rest] = text.split('<!-- results -->');
  const after = rest?.split('<!-- end of results -->')[1];
  if (after === undefined) throw new Error(`${path} lacks the markers <!-- results --> and <!-- end of results -->`);
  writeWhole(path, `${before}<!-- results -->\n${table}\n<!-- end of results -->${after}`);
}

function list<T extends string>(text: string, known: readonly T[], what: string): T[] {
  return text.split(',').map((word) => {
    const found = known.find((k) => k === word);
    if (!found) throw new Error(`${what} '${word}' is unknown: expected ${known.join(', ')}`);
    return found;
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      workloads: { type: 'string', default: 'w1,w2,w3,w4,w5,w6,cold,steady' },
      peers: { type: 'string', default: 'gradus,torch,tfjs,jaxjs' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '6' },
      dry: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void console.log(HELP);
  const known = [...(Object.keys(WORKLOADS) as WorkloadName[]), 'cold' as const, 'steady' as const];
  const work = list(values.workloads, known, 'workload');
  const peers = list(values.peers, Object.keys(PEER_TITLES) as PeerName[], 'peer');
  const options: Options = { peers, rounds: Number(values.rounds), seconds: Number(values.seconds) };
  if (loadavg()[0] > 0.7)
    say(`warning: the machine is busy (load ${loadavg()[0].toFixed(2)}); the numbers will suffer`);

  const path = join(bench, 'results.json');
  let results: Results = { machine: describeMachine(), workloads: {} };
  if (existsSync(path) && !values.dry)
    results = { ...JSON.parse(readFileSync(path, 'utf8')), machine: results.machine };
  for (const name of work) {
    if (name === 'cold') results = { ...results, cold: await measureColdStart(options) };
    else if (name === 'steady') results = { ...results, steady: await measureSteadyMemory() };
    else results = { ...results, workloads: { ...results.workloads, [name]: await measureWorkload(name, options) } };
    if (!values.dry) writeWhole(path, `${JSON.stringify(results, null, 1)}\n`);
  }
  const table = markdown(results);
  console.log(table);
  if (!values.dry) updateReadme(table);
}

await main();
