/** @file The workloads of the benchmark: parameter shapes, random data and the timing loop; spec.py holds the same. */

/** A named parameter or input. Layouts: dense [in, out], convolution [height, width, in, out], images NHWC. */
type Entry = readonly [name: string, shape: readonly number[]];

export type WorkloadName = 'w1' | 'w2' | 'w3' | 'w4' | 'w5' | 'w6';

export interface Workload {
  readonly title: string;
  readonly batch: number;
  readonly classes: number;
  /** Shape of one sample; absent for token sequences. */
  readonly input: readonly number[];
  readonly optimizer: 'adam' | 'adamw' | 'sgd';
  readonly lr: number;
  readonly params: readonly Entry[];
}

/** The encoder's sizes. */
export const ENCODER = {
  seq: 128,
  vocab: 30522,
  positions: 512,
  width: 384,
  hidden: 1536,
  heads: 12,
  layers: 6,
} as const;

/** AdamW's decay in w3. */
export const WEIGHT_DECAY = 0.01;

const dense = (name: string, inputs: number, outputs: number): Entry[] => [
  [`${name}.w`, [inputs, outputs]],
  [`${name}.b`, [outputs]],
];
const conv = (name: string, inputs: number, outputs: number): Entry[] => [
  [`${name}.w`, [3, 3, inputs, outputs]],
  [`${name}.b`, [outputs]],
];
const norm = (name: string): Entry[] => [
  [`${name}.g`, [ENCODER.width]],
  [`${name}.b`, [ENCODER.width]],
];

function encoderLayer(l: number): Entry[] {
  const { width, hidden } = ENCODER;
  return [
    ...['q', 'k', 'v', 'o'].flatMap((n) => dense(`l${l}.${n}`, width, width)),
    ...norm(`l${l}.ln1`),
    ...dense(`l${l}.f1`, width, hidden),
    ...dense(`l${l}.f2`, hidden, width),
    ...norm(`l${l}.ln2`),
  ];
}

export const WORKLOADS: Record<WorkloadName, Workload> = {
  w1: {
    title: 'MLP 784-512-512-10, batch 128, Adam',
    batch: 128,
    classes: 10,
    input: [784],
    optimizer: 'adam',
    lr: 1e-3,
    params: [...dense('d1', 784, 512), ...dense('d2', 512, 512), ...dense('d3', 512, 10)],
  },
  w2: {
    title: 'CNN of 4 convolutions, 32x32x3, batch 64, Adam',
    batch: 64,
    classes: 10,
    input: [32, 32, 3],
    optimizer: 'adam',
    lr: 1e-3,
    params: [
      ...conv('c1', 3, 32),
      ...conv('c2', 32, 32),
      ...conv('c3', 32, 64),
      ...conv('c4', 64, 64),
      ...dense('d1', 4096, 256),
      ...dense('d2', 256, 10),
    ],
  },
  w3: {
    title: 'MiniLM encoder 6x384, sequence 128, batch 16, AdamW',
    batch: 16,
    classes: 2,
    input: [],
    optimizer: 'adamw',
    lr: 1e-3,
    params: [
      ['tok', [ENCODER.vocab, ENCODER.width]],
      ['pos', [ENCODER.positions, ENCODER.width]],
      ...norm('lne'),
      ...Array.from({ length: ENCODER.layers }, (_, l) => encoderLayer(l)).flat(),
      ...dense('head', ENCODER.width, 2),
    ],
  },
  w4: {
    title: 'LSTM 128, sequence 100, batch 32, Adam',
    batch: 32,
    classes: 10,
    input: [100, 64],
    optimizer: 'adam',
    lr: 1e-3,
    // One bias vector: where a library has two, the second stays at 0 and is not trained.
    params: [['lstm.w', [64, 512]], ['lstm.r', [128, 512]], ['lstm.b', [512]], ...dense('d1', 128, 10)],
  },
  w5: {
    title: 'MLP 4-16-3, batch 16, Adam',
    batch: 16,
    classes: 3,
    input: [4],
    optimizer: 'adam',
    lr: 1e-3,
    params: [...dense('d1', 4, 16), ...dense('d2', 16, 3)],
  },
  w6: {
    title: 'wide CNN 256-256 at 8x8, 512-512 at 4x4, batch 64, SGD',
    batch: 64,
    classes: 10,
    input: [8, 8, 256],
    optimizer: 'sgd',
    lr: 0.05,
    params: [
      ...conv('c1', 256, 256),
      ...conv('c2', 256, 256),
      ...conv('c3', 256, 512),
      ...conv('c4', 512, 512),
      ...dense('d1', 512, 10),
    ],
  },
};

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** n numbers in [0, 1) from a counter-based generator (mulberry32), which NumPy can repeat. */
function uniform(seed: number, n: number): Float64Array {
  const out = new Float64Array(n);
  let a = seed | 0;
  for (let i = 0; i < n; i++) {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    out[i] = ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  return out;
}

const symmetric = (seed: number, n: number, scale = 1): Float32Array =>
  Float32Array.from(uniform(seed, n), (u) => (2 * u - 1) * scale);

const integers = (seed: number, n: number, below: number, from = 0): Int32Array =>
  Int32Array.from(uniform(seed, n), (u) => from + Math.floor(u * (below - from)));

/** Initial values by name: gains one, biases zero, embeddings and weights uniform. */
export function initialParams(w: Workload): Record<string, Float32Array<ArrayBuffer>> {
  const values = w.params.map(([name, shape], k) => {
    const n = sizeOf(shape);
    if (name.endsWith('.g')) return [name, new Float32Array(n).fill(1)];
    if (name.endsWith('.b')) return [name, new Float32Array(n)];
    const embedding = name === 'tok' || name === 'pos';
    const fanIn = n / shape[shape.length - 1];
    return [name, symmetric(1000 + k, n, embedding ? 0.035 : 1 / Math.sqrt(fanIn))];
  });
  return Object.fromEntries(values);
}

/** Class indices of the fixed batch. */
export const targets = (w: Workload): Int32Array => integers(2, w.batch, w.classes);

/** Inputs of the fixed batch, `[batch, ...input]`. */
export const inputs = (w: Workload): Float32Array => symmetric(1, w.batch * sizeOf(w.input));

/** Tokens and a 0/1 mask, each `[batch, seq]`, for the encoder. */
export function tokenInputs(w: Workload): { tokens: Int32Array; mask: Float32Array } {
  const { seq, vocab } = ENCODER;
  const lengths = integers(3, w.batch, seq + 1, seq / 2);
  const mask = Float32Array.from({ length: w.batch * seq }, (_, i) => (i % seq < lengths[Math.floor(i / seq)] ? 1 : 0));
  return { tokens: integers(1, w.batch * seq, vocab), mask };
}

/** What every peer prints as one JSON line. */
export interface Measurement {
  readonly version: string;
  readonly medianMs: number;
  readonly minMs: number;
  readonly firstStepMs: number;
  readonly steps: number;
  /** Losses of the first steps: by them all peers can be seen to compute the same. */
  readonly losses: readonly number[];
  readonly peakRssMb: number;
  /** Resident size with the library loaded and nothing built. */
  readonly baseRssMb: number;
}

/** Memory in MB after a collection: resident, JavaScript heap, and memory outside of it. */
export interface MemorySample {
  readonly step: number;
  readonly residentMb: number;
  readonly heapMb: number;
  readonly outsideMb: number;
}

/** Resident size of this process now. */
export const residentMb = (): number => Math.round(process.memoryUsage.rss() / 2 ** 20);

/**
 * Calls `step` (which trains and returns the loss) for about `seconds` and prints one line. Not counted: the first three
 * steps and the first tenth of the time; of a very slow peer (first step over 10 s) only the first. With 0 seconds, for
 * the cold start, it does one step. `baseRssMb` is the resident size before the network was built.
 */
export async function measure(
  version: string,
  step: () => Promise<number>,
  seconds: number,
  baseRssMb: number,
): Promise<void> {
  const losses: number[] = [];
  const times: number[] = [];
  const begin = performance.now();
  let firstStepMs = 0;
  for (let i = 0; ; i++) {
    const from = performance.now();
    const loss = await step();
    const to = performance.now();
    if (i === 0) firstStepMs = to - from;
    if (losses.length < 10) losses.push(loss);
    if (seconds === 0) break;
    const slow = firstStepMs > 10_000;
    if (slow ? i > 0 : i >= 3 && to - begin > seconds * 100) times.push(to - from);
    if (to - begin > seconds * 1000 && times.length >= (slow ? 1 : 3)) break;
  }
  times.sort((a, b) => a - b);
  const result: Measurement = {
    version,
    medianMs: times[times.length >> 1] ?? firstStepMs,
    minMs: times[0] ?? firstStepMs,
    firstStepMs,
    steps: times.length,
    losses,
    peakRssMb: Math.round(process.resourceUsage().maxRSS / 1024),
    baseRssMb,
  };
  console.log(JSON.stringify(result));
}

/** The workload and the seconds named on a peer's command line. */
export function parseArguments(): { name: WorkloadName; workload: Workload; seconds: number; setting: string } {
  const [name, seconds, setting = ''] = process.argv.slice(2);
  const found = Object.entries(WORKLOADS).find(([key]) => key === name);
  if (!found) throw new Error(`workload '${name}' is unknown: expected ${Object.keys(WORKLOADS).join(', ')}`);
  return { name: found[0] as WorkloadName, workload: found[1], seconds: Number(seconds ?? 5), setting };
}
