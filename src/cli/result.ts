/** @file The end of a training run as it is told: what stopped it, how good the result is, what is kept. */
import type { FitResult } from '../train/index.ts';
import { showDrawn } from './picture.ts';
import { formatMetric, type Score, showScore } from './score.ts';
import { count, type Terminal } from './terminal.ts';

export interface RunResult {
  readonly folder: string;
  readonly fit: FitResult;
  /** The part that was judged, how many samples it has, and what one of them is called. */
  readonly part: 'test' | 'validation' | 'training';
  readonly size: number;
  readonly unit: string;
  readonly score: Score;
  readonly files: readonly string[];
  /** When the command was started, as `performance.now()` said. */
  readonly start: number;
}

/** Prints the result of a run and the files that it leaves behind. */
export async function showResult(run: RunResult, terminal: Terminal): Promise<void> {
  const { folder, fit, part, size, unit, score, files, start } = run;
  if (fit.stopped) terminal.say(`  stopped early: ${fit.stopped}`);
  if (fit.bestEpoch !== undefined && fit.bestEpoch !== fit.history.length)
    terminal.say(`  the weights of epoch ${fit.bestEpoch}, the best in validation, are kept`);
  terminal.heading(`Result on ${part} data (${count(size, unit)})`);
  if (part === 'validation')
    terminal.say(
      '  (the best epoch was chosen on these data, so expect a little less on new ones; --test 0.1 holds some out)',
    );
  if (part === 'training') terminal.say('  (the model has seen these data: this says nothing about new ones)');
  showScore(score, terminal);
  terminal.heading(`Kept in ${folder}/ (${((performance.now() - start) / 1000).toFixed(1)} s in all)`);
  terminal.say(`  ${files.join(', ')}, TensorBoard events, checkpoints/`);
  if (files.includes('report.svg')) await showDrawn(folder, 'report', terminal);
}

/**
 * Writes the result to stdout for a program, with `more` after the name of the run, or, with --quiet, in one line for a
 * person.
 */
export function writeResult(run: RunResult, json: boolean, more: Record<string, unknown>, terminal: Terminal): void {
  const { folder, fit, part, score, files } = run;
  if (json) {
    const { history, bestEpoch = null, stopped = null } = fit;
    const outcome = { epochs: history.length, bestEpoch, stopped, part, metrics: score.metrics, history, files };
    process.stdout.write(`${JSON.stringify({ run: folder, ...more, ...outcome })}\n`);
  } else if (terminal.quiet) {
    const metrics = Object.entries(score.metrics).map(([name, value]) => `${part} ${name} ${formatMetric(value)}`);
    process.stdout.write(`${folder}: ${metrics.join(', ')}\n`);
  }
}
