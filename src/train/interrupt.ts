/** @file Ctrl-C and termination: the first asks training to stop after the step under way, a second ends the process. */

/** Listens for SIGINT and SIGTERM while training runs; in a browser nothing is listened for. */
export class InterruptWatch {
  #requested = false;
  readonly #handler = () => {
    if (this.#requested) process.exit(130);
    this.#requested = true;
  };

  constructor() {
    if (typeof process !== 'object' || !process.on) return;
    process.on('SIGINT', this.#handler);
    process.on('SIGTERM', this.#handler);
  }

  /** Whether the user asked to stop. */
  get requested(): boolean {
    return this.#requested;
  }

  close(): void {
    if (typeof process !== 'object' || !process.off) return;
    process.off('SIGINT', this.#handler);
    process.off('SIGTERM', this.#handler);
  }
}
