/** @file GRADUS_DEBUG and GRADUS_DUMP: what programs are compiled, what passes do to them, the graph as text. */

import { atExit, saveDump } from '#ort';
import type { LinearGraph } from '../compiler/linearize.ts';
import { printGraph } from '../compiler/print.ts';
import type { Value } from '../ir/graph.ts';
import { trackSites } from '../ir/site.ts';
import { type OperatorTime, printProfile, takeProfile } from '../runtime/profile.ts';

const environment: Record<string, string | undefined> = typeof process === 'object' ? process.env : {};
let level = Number(environment.GRADUS_DEBUG ?? 0);
let dumpFolder = environment.GRADUS_DUMP;
let write: (line: string) => void = (line) => console.error(line);
let willPrint = false;
if (level > 0) trackSites(true);
if (level >= 4) printProfileAtExit();

/**
 * Debug output: 0 none; 1 programs compiled (nodes, hash, time); 2 passes and what they changed; 3 the graph as text;
 * 4 ONNX Runtime's profile per operator. The environment variable GRADUS_DEBUG sets the level at start.
 */
export function setDebug(options: { level?: number; dump?: string; write?: (line: string) => void }): void {
  level = options.level ?? level;
  dumpFolder = options.dump ?? dumpFolder;
  write = options.write ?? write;
  trackSites(level > 0);
  if (level >= 4) printProfileAtExit();
}

function printProfileAtExit(): void {
  if (willPrint) return;
  willPrint = true;
  atExit(() => {
    const times = takeProfile();
    if (times.length) write(printProfile(times));
  });
}

/**
 * Time per kind of operator in all programs compiled at debug level 4 (setDebug, GRADUS_DEBUG) since the last call, the
 * costliest first; what was not asked for is printed when the process ends. Asking ends the recording: programs already
 * compiled record no further. Empty in a browser, whose own tools see more.
 */
export function profile(): OperatorTime[] {
  return takeProfile();
}

export function debugLevel(): number {
  return level;
}

let counter = 0;

/** Observes one compilation; all its methods are silent at level 0. */
export class CompileObserver {
  readonly #start = performance.now();
  readonly #id = counter++;
  readonly #hash: string;
  #last = -1;
  #text = '';

  constructor(graph: LinearGraph) {
    this.#hash = level > 0 || dumpFolder ? hash(graph.key) : '';
    this.#last = graph.nodes.length;
  }

  /** A pass has run. Those that change nothing are passed over, but for the first. */
  pass(name: string, outputs: readonly Value[]): void {
    if (level < 2) return;
    const text = printGraph(outputs);
    if (text === this.#text) return;
    this.#text = text;
    const nodes = text.split('\n').length - 1;
    write(`gradus program ${this.#id} pass ${name}: ${this.#last} -> ${nodes} nodes`);
    this.#last = nodes;
    if (level >= 3) write(text);
  }

  /** The program is ready to run. */
  async done(bytes: Uint8Array, nodes: number): Promise<void> {
    if (level >= 1)
      write(
        `gradus program ${this.#id} ${this.#hash}: ${nodes} nodes, ${bytes.length} bytes, compiled in ${(performance.now() - this.#start).toFixed(1)} ms`,
      );
    if (dumpFolder) await saveDump(dumpFolder, `program-${this.#id}-${this.#hash}.onnx`, bytes);
  }
}

/** FNV-1a, 32 bits: short names for programs in logs; never used for equality. */
function hash(text: string): string {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return (h >>> 0).toString(16).padStart(8, '0');
}
