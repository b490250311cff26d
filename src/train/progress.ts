/** @file What a person sees while training: a live line in a terminal, one plain line per epoch elsewhere. */
import { loadBar } from './progress-bar.ts';
import { performanceNow, SpeedMeter } from './speed.ts';

/** The part of a Node stream that the display needs. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** Epochs to run, for the count and the time left. */
  readonly epochs?: number;
  /** Default `process.stdout`, in a browser the console. */
  readonly stream?: ProgressStream;
  /** Live line or plain lines. Default: live where the stream is a terminal, not under CI (`CI` set) or `TERM=dumb`. */
  readonly interactive?: boolean;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/** Numbers by name, shown in this order. */
export type ProgressValues = Readonly<Record<string, number>>;

/** What one line shows. */
interface Line {
  readonly epoch: number;
  readonly epochs: number | undefined;
  readonly step: number;
  readonly steps: number | undefined;
  readonly values: ProgressValues;
  readonly samplesPerSecond: number | undefined;
  /** Seconds left of the epoch and of all epochs. */
  readonly left: number | undefined;
  readonly leftInAll: number | undefined;
}

type MakeBar = (render: (width: number) => string, stream: ProgressStream) => Bar;

/** Draws the live line; behind it is cli-progress. */
interface Bar {
  start(): void;
  update(): void;
  stop(): void;
}

/**
 * Shows epoch, step, loss and metrics, samples per second and time left. `stop` it in
 * `finally`, so that an error message does not land behind the live line.
 *
 *     const progress = await Progress.create({ epochs: 10 });
 *     progress.startEpoch(1, loader.length);
 *     progress.step({ loss: 0.5 }, 64);   // after each step, with the samples in it
 *     progress.endEpoch({ loss: 0.4, val_loss: 0.45 });
 *     progress.stop();
 */
export class Progress {
  readonly interactive: boolean;
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  readonly #epochs: number | undefined;
  readonly #makeBar: MakeBar | undefined;
  readonly #speed: SpeedMeter;
  #bar: Bar | undefined;
  #epoch = 0;
  #step = 0;
  #steps: number | undefined;
  #values: ProgressValues = {};
  #epochStart = 0;
  #epochSamples = 0;

  private constructor(
    { epochs, stream = standardOutput(), now = performanceNow }: ProgressOptions,
    makeBar: MakeBar | undefined,
  ) {
    this.interactive = makeBar !== undefined;
    this.#stream = stream;
    this.#now = now;
    this.#epochs = epochs;
    this.#makeBar = makeBar;
    this.#speed = new SpeedMeter(now);
  }

  static async create(options: ProgressOptions = {}): Promise<Progress> {
    const { stream = standardOutput(), interactive = stream.isTTY === true && !quiet() } = options;
    return new Progress(options, interactive ? await loadBar() : undefined);
  }

  /** @param epoch From 1. @param steps Steps of the epoch, where known. @param step Steps already done, when resuming. */
  startEpoch(epoch: number, steps?: number, step = 0): void {
    this.#clear();
    this.#epoch = epoch;
    this.#steps = steps;
    this.#step = step;
    this.#values = {};
    this.#epochStart = this.#now();
    this.#epochSamples = 0;
    this.#speed.pause();
    this.#bar = this.#makeBar?.((width) => formatLine(this.#line(), width), this.#stream);
    this.#bar?.start();
  }

  /** After each step: what to show, and how many samples it had. Costs next to nothing between redraws (10 a second). */
  step(values: ProgressValues, samples: number): void {
    this.#step++;
    this.#values = values;
    this.#epochSamples += samples;
    this.#speed.add(samples);
    this.#bar?.update();
  }

  /** Ends the epoch with its line, which stays on the screen or in the log. */
  endEpoch(values: ProgressValues): void {
    this.#clear();
    const seconds = (this.#now() - this.#epochStart) / 1000;
    const parts = Object.entries(values).map(([name, value]) => `${name} ${formatNumber(value)}`);
    const speed = this.#speed.samplesPerSecond;
    if (speed !== undefined && this.#epochSamples > 0) parts.push(`${formatCount(speed)} samples/s`);
    parts.push(seconds < 100 ? `${seconds.toFixed(1)} s` : formatTime(seconds));
    this.#stream.write(`${this.#title()}: ${parts.join(', ')}\n`);
    this.#speed.pause();
  }

  /** Prints a line of text above the live line. */
  print(text: string): void {
    const live = this.#bar !== undefined;
    this.#bar?.stop();
    this.#stream.write(`${text}\n`);
    if (live) this.#bar?.start();
  }

  /** Takes the live line away; may be called at any time and again. */
  stop(): void {
    this.#clear();
  }

  #clear(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #title(): string {
    const total = this.#epochs === undefined ? '' : `/${this.#epochs}`;
    return `epoch ${String(this.#epoch).padStart(total.length - 1)}${total}`;
  }

  #line(): Line {
    const perStep = this.#speed.secondsPerStep;
    const steps = this.#steps;
    const left = perStep === undefined || steps === undefined ? undefined : perStep * Math.max(0, steps - this.#step);
    const epochsAfter = this.#epochs === undefined ? 0 : Math.max(0, this.#epochs - this.#epoch);
    return {
      epoch: this.#epoch,
      epochs: this.#epochs,
      step: this.#step,
      steps,
      values: this.#values,
      samplesPerSecond: this.#speed.samplesPerSecond,
      left,
      leftInAll:
        left === undefined || perStep === undefined || epochsAfter === 0
          ? undefined
          : left + perStep * epochsAfter * (steps ?? 0),
    };
  }
}

function standardOutput(): ProgressStream {
  if (typeof process === 'object' && process.stdout) return process.stdout;
  return { write: (text) => console.log(text.trimEnd()) };
}

function quiet(): boolean {
  const { CI, TERM } = process.env;
  return (CI !== undefined && CI !== '' && CI !== 'false') || TERM === 'dumb';
}

/** The live line in at most `width` characters: the bar shrinks first, then the least important parts go. */
export function formatLine(line: Line, width: number): string {
  const count = (n: number, total: number | undefined) =>
    total === undefined ? String(n) : `${String(n).padStart(String(total).length)}/${total}`;
  const head = `epoch ${count(line.epoch, line.epochs)}`;
  const steps = line.steps === undefined ? `step ${line.step}` : count(line.step, line.steps);
  const values = Object.entries(line.values).map(([name, value]) => `${name} ${formatNumber(value)}`);
  const speed = line.samplesPerSecond === undefined ? [] : [`${formatCount(line.samplesPerSecond)} samples/s`];
  const all = line.leftInAll === undefined ? '' : ` (all ${formatTime(line.leftInAll)})`;
  const eta = line.left === undefined ? [] : [`ETA ${formatTime(line.left)}`];
  const bar = (size: number) => (line.steps === undefined ? '' : `${drawBar(line.step / line.steps, size)} `);
  const compose = (size: number, ...parts: string[]) => [`${head} ${bar(size)}${steps}`, ...parts].join(' · ');
  const full = [...values, ...speed, ...eta.map((e) => e + all)];
  const candidates = [
    ...[28, 20, 12].map((size) => compose(size, ...full)),
    compose(12, ...values, ...speed, ...eta),
    compose(12, ...values, ...eta),
    ...values.map((_, i) => compose(8, ...values.slice(0, values.length - i), ...eta)),
    compose(8, ...eta),
    compose(4),
  ];
  return candidates.find((text) => text.length <= width) ?? `${head} ${steps}`.slice(0, width);
}

function drawBar(fraction: number, size: number): string {
  const done = Math.round(Math.min(1, Math.max(0, fraction || 0)) * size);
  return '█'.repeat(done) + '░'.repeat(size - done);
}

/** Four significant digits, powers of ten only for very small or large numbers. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return String(value);
  return Number.isFinite(value) && (size >= 1e5 || size < 1e-3) ? value.toExponential(2) : value.toPrecision(4);
}

function formatCount(value: number): string {
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US');
}

/** `0:42`, `12:05`, `3:07:09`. */
export function formatTime(seconds: number): string {
  const s = Math.ceil(seconds);
  const two = (n: number) => String(n).padStart(2, '0');
  const minutes = Math.floor(s / 60);
  return minutes < 60 ? `${minutes}:${two(s % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(s % 60)}`;
}
