/** @file ONNX Runtime's profile per operator, summed over all programs that recorded one. */
import { takeProfileTexts } from '#ort';

/** Time spent in one kind of operator. */
export interface OperatorTime {
  readonly op: string;
  /** How often an operator of the kind has run. */
  readonly runs: number;
  readonly milliseconds: number;
  /** Of the time in all operators, 0 to 1. */
  readonly share: number;
}

const endings: (() => void)[] = [];

/** Remembers how to end a program's recording. */
export function watchProfile(end: () => void): void {
  endings.push(end);
}

interface ProfileEvent {
  readonly cat?: string;
  readonly name?: string;
  readonly dur?: number;
  readonly args?: { readonly op_name?: string };
}

/**
 * Ends the recordings so far (programs compiled later make new ones) and sums them by kind of operator, the costliest
 * first. Times are of the operators' kernels, on a device without its waiting.
 */
export function takeProfile(): OperatorTime[] {
  for (const end of endings.splice(0)) end();
  return sumProfiles(takeProfileTexts());
}

/** Sums the JSON texts that ONNX Runtime writes; one that was cut off counts up to there. */
export function sumProfiles(texts: readonly string[]): OperatorTime[] {
  const sums = new Map<string, { runs: number; milliseconds: number }>();
  let total = 0;
  for (const text of texts)
    for (const event of eventsOf(text)) {
      const op = event.args?.op_name;
      if (event.cat !== 'Node' || !op || !event.name?.endsWith('_kernel_time')) continue;
      const sum = sums.get(op) ?? { runs: 0, milliseconds: 0 };
      sums.set(op, sum);
      sum.runs++;
      sum.milliseconds += (event.dur ?? 0) / 1000;
      total += (event.dur ?? 0) / 1000;
    }
  const lines = [...sums].map(([op, sum]) => ({ op, ...sum, share: total > 0 ? sum.milliseconds / total : 0 }));
  return lines.sort((a, b) => b.milliseconds - a.milliseconds);
}

function eventsOf(text: string): readonly ProfileEvent[] {
  try {
    return JSON.parse(text) as ProfileEvent[];
  } catch {
    const end = text.lastIndexOf('}');
    if (end < 0) return [];
    try {
      return JSON.parse(`${text.slice(0, text.lastIndexOf('\n', end))}]`.replace(/,\s*]$/, ']')) as ProfileEvent[];
    } catch {
      return [];
    }
  }
}

/** The profile as a table: the 15 costliest kinds of operators. */
export function printProfile(times: readonly OperatorTime[]): string {
  const total = times.reduce((sum, t) => sum + t.milliseconds, 0);
  const lines = times
    .slice(0, 15)
    .map(
      ({ op, runs, milliseconds, share }) =>
        `  ${op.padEnd(24)} ${(100 * share).toFixed(1).padStart(5)}% ${milliseconds.toFixed(2).padStart(10)} ms ${String(runs).padStart(8)} x`,
    );
  return [`gradus profile: ${total.toFixed(2)} ms in ${times.length} kinds of operators`, ...lines].join('\n');
}
