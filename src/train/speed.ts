/** @file Speed of a loop, as a moving average over the last seconds. */

export function performanceNow(): number {
  return performance.now();
}

/** Time in which a step's weight falls to 1/e, in milliseconds. */
const memory = 5000;

/** Measures samples per second and seconds per step. The first step is left out: it compiles. */
export class SpeedMeter {
  readonly #now: () => number;
  #last: number | undefined;
  #warm = false;
  #samples = 0;
  #steps = 0;
  #time = 0;

  constructor(now: () => number = performanceNow) {
    this.#now = now;
  }

  /** A pause begins, or ends now: the time since the last step does not count. */
  pause(): void {
    this.#last = this.#now();
  }

  /** A step is done. */
  add(samples: number): void {
    const now = this.#now();
    const elapsed = now - (this.#last ?? now);
    this.#last = now;
    if (!this.#warm) {
      this.#warm = true;
      return;
    }
    const keep = Math.exp(-elapsed / memory);
    this.#samples = this.#samples * keep + samples;
    this.#steps = this.#steps * keep + 1;
    this.#time = this.#time * keep + elapsed;
  }

  /** Undefined until the second step. */
  get samplesPerSecond(): number | undefined {
    return this.#time > 0 ? (this.#samples / this.#time) * 1000 : undefined;
  }

  /** Undefined until the second step. */
  get secondsPerStep(): number | undefined {
    return this.#time > 0 ? this.#time / this.#steps / 1000 : undefined;
  }
}
