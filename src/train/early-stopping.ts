/** @file earlyStopping: ends training when a number has stopped improving. */
import { ArgumentError } from '../ir/errors.ts';
import { refuseUnknown } from '../ir/options.ts';
import type { Callback, Json } from './callback.ts';

export interface Monitor {
  /** The name of the number in an epoch's logs; default 'val_loss'. */
  monitor?: string;
  /** 'min' if smaller is better; by default 'min' for names with loss, error or perplexity in them, else 'max'. */
  mode?: 'min' | 'max';
}

/** Whether smaller is better for a monitored number. */
export function isLowerBetter({ monitor = 'val_loss', mode }: Monitor): boolean {
  if (mode) return mode === 'min';
  return /loss|error|perplexity|rmse|mae|wer|cer/i.test(monitor);
}

/** The monitored number. @throws ArgumentError listing the names there are. */
export function monitored(logs: Readonly<Record<string, number>>, monitor = 'val_loss'): number {
  const value = logs[monitor];
  if (value === undefined)
    throw new ArgumentError(
      `'${monitor}' is not among the logged numbers (${Object.keys(logs).join(', ')}); pass validation data, or monitor one of these`,
    );
  return value;
}

export interface EarlyStoppingOptions extends Monitor {
  /** Epochs without improvement after which training ends; default 3. */
  patience?: number;
  /** What counts as improvement; default 0. */
  minDelta?: number;
}

/** Ends training when `monitor` has not improved for `patience` epochs. The Trainer's `restoreBest` brings back the best weights. */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const { monitor = 'val_loss', patience = 3, minDelta = 0 } = options;
  if (!(Number.isInteger(patience) && patience >= 1))
    throw new ArgumentError(`earlyStopping: patience must be a whole number of at least 1, found ${patience}`);
  refuseUnknown('earlyStopping', options, ['monitor', 'mode', 'patience', 'minDelta']);
  if (options.mode !== undefined && options.mode !== 'min' && options.mode !== 'max')
    throw new ArgumentError(`earlyStopping: mode must be 'min' or 'max', found '${options.mode}'`);
  if (!Number.isFinite(minDelta))
    throw new ArgumentError(`earlyStopping: minDelta must be a number, found ${minDelta}`);
  const sign = isLowerBetter({ ...options, monitor }) ? -1 : 1;
  let best = Number.NEGATIVE_INFINITY;
  let waited = 0;
  return {
    name: 'earlyStopping',
    onEpochEnd(context, logs) {
      const score = sign * monitored(logs, monitor);
      if (score > best + minDelta) {
        best = score;
        waited = 0;
      } else if (++waited >= patience)
        context.stop(`${monitor} has not improved for ${patience} epochs (best ${(sign * best).toPrecision(5)})`);
    },
    // JSON has no infinity: null stands for "no epoch yet".
    stateDict: (): Json => ({ best: Number.isFinite(best) ? best : null, waited }),
    loadStateDict(state) {
      const saved = state as { best: number | null; waited: number };
      best = saved.best ?? Number.NEGATIVE_INFINITY;
      waited = saved.waited;
    },
  };
}
