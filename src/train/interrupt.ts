/** @file Ctrl-C and termination: the first asks training to stop after the step under way, a second ends the process. */

/** Signals that come within so many milliseconds count as one. */
const samePress = 500;

/** Listens for SIGINT and SIGTERM while training runs; in a browser nothing is listened for. */
export class InterruptWatch {
  #requestedAt: number | undefined;
  readonly #handler = () => {
    const now = performance.now();
    if (this.#requestedAt !== undefined) {
      // npm and tsx pass on what the terminal has sent to the whole group already: one key press, two signals.
      if (now - this.#requestedAt > samePress) process.exit(130);
      return;
    }
    this.#requestedAt = now;
    process.stderr.write('\nstopping after the step under way; Ctrl-C again ends at once, without saving\n');
  };

  constructor() {
    if (typeof process !== 'object' || !process.on) return;
    process.on('SIGINT', this.#handler);
    process.on('SIGTERM', this.#handler);
  }

  /** Whether the user asked to stop. */
  get requested(): boolean {
    return this.#requestedAt !== undefined;
  }

  close(): void {
    if (typeof process !== 'object' || !process.off) return;
    process.off('SIGINT', this.#handler);
    process.off('SIGTERM', this.#handler);
  }
}
