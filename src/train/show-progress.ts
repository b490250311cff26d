/** @file The progress display as a callback. */
import type { Callback } from './callback.ts';
import { Progress, type ProgressOptions } from './progress.ts';

/** Shows a live line per step in a terminal, one plain line per epoch elsewhere. */
export function showProgress(options: ProgressOptions = {}): Callback {
  let progress: Progress | undefined;
  return {
    name: 'showProgress',
    async onFitStart({ epochs }) {
      progress = await Progress.create({ epochs, ...options });
    },
    onEpochStart({ epoch, stepsPerEpoch, step }) {
      const done = stepsPerEpoch ? step - epoch * stepsPerEpoch : 0;
      progress?.startEpoch(epoch + 1, stepsPerEpoch, Math.max(0, done));
    },
    onStepEnd(_, { epochLoss, samples }) {
      progress?.step({ loss: epochLoss }, samples);
    },
    onEpochEnd(_, logs) {
      progress?.endEpoch(logs);
    },
    onFitEnd() {
      progress?.stop();
    },
  };
}
