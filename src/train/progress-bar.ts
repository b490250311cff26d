/** @file The live line itself: cli-progress draws it, on a terminal of our own that never moves up. */
import { nodePackage } from './node-package.ts';
import type { ProgressStream } from './progress.ts';

const csi = '\x1b[';

/**
 * What cli-progress asks of a terminal. Its own saves and restores the cursor's position, which erases lines that were
 * printed, and scrolled, in between; this one stays on the last line.
 */
function terminal(stream: ProgressStream) {
  const nothing = () => undefined;
  return {
    cursorSave: nothing,
    cursorRestore: nothing,
    cursor: nothing,
    cursorTo: () => stream.write('\r'),
    cursorRelative: nothing,
    cursorRelativeReset: nothing,
    clearRight: () => stream.write(`${csi}K`),
    clearLine: () => stream.write(`${csi}2K`),
    clearBottom: nothing,
    newline: () => stream.write('\n'),
    write: (text: string) => stream.write(text),
    lineWrapping: nothing,
    isTTY: () => true,
    getWidth: () => stream.columns ?? 80,
  };
}

/** Makes live lines whose text `render` gives: redrawn ten times a second at most, and gone after `stop`. */
export async function loadBar() {
  const { SingleBar } = await nodePackage('cli-progress');

  /** A display must not keep the process alive when training has failed without stopping it. */
  class LiveBar extends SingleBar {
    /** Called by cli-progress for each frame; sets the timer of the next. */
    override render(): void {
      super.render();
      const timer = 'timer' in this ? this.timer : undefined;
      if (timer instanceof Object && 'unref' in timer && typeof timer.unref === 'function') timer.unref();
    }
  }

  return (render: (width: number) => string, stream: ProgressStream) => {
    const options = {
      format: () => render((stream.columns ?? 80) - 1),
      terminal: terminal(stream),
      // Leaves the cursor and line wrapping alone: a process that dies could not restore them. Our lines are cut to fit.
      hideCursor: false,
      linewrap: true,
      clearOnComplete: true,
      // Ctrl-C belongs to the training loop, which stops the display when it ends.
      gracefulExit: false,
    };
    const bar = new LiveBar(options);
    return {
      start: () => bar.start(1, 0),
      update: () => bar.update(0),
      stop: () => bar.stop(),
    };
  };
}
