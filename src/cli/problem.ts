/** @file What goes wrong at the terminal: errors of use, suggestions, and how an error is told. */
import { GradusError } from '../ir/errors.ts';
import { hasColor, shellWord } from './terminal.ts';

/** Something the user typed or pointed at is not right; the message says how to mend it. */
export class UsageError extends GradusError {}

/** Ctrl-C stopped a command that has kept its work; the message says how to go on. */
export class Interrupted extends GradusError {}

/** What to tell of a training that Ctrl-C has stopped. */
export function interruptedRun(folder: string, error: Error): Interrupted {
  const step = /step (\d+)/.exec(error.message)?.[1] ?? '?';
  return new Interrupted(
    `interrupted after step ${step}; its checkpoint is kept. Go on with:\n  npx gradus train --resume --out ${shellWord(folder)}`,
    { cause: error },
  );
}

/** Number of single-character changes between two words (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length];
}

/** ` Did you mean 'x'?` where a known word is near, else ''. */
export function didYouMean(word: string, known: readonly string[]): string {
  const lower = word.toLowerCase();
  const near = known
    .map((name) => {
      const other = name.toLowerCase();
      const d = lower.length > 2 && other.startsWith(lower) ? 0 : distance(lower, other);
      return { name, d };
    })
    .sort((x, y) => x.d - y.d)[0];
  return near && near.d <= Math.max(1, Math.floor(word.length / 3)) ? ` Did you mean '${near.name}'?` : '';
}

/** @throws UsageError unless `word` is one of `known`. */
export function oneOf<T extends string>(what: string, word: string, known: readonly T[]): T {
  const found = known.find((name) => name === word);
  if (found === undefined)
    throw new UsageError(`unknown ${what} '${word}'.${didYouMean(word, known)} Known: ${known.join(', ')}`);
  return found;
}

/** Writes an error to stderr: the message alone, with `debug` the stack and the causes too. */
export function tellError(error: unknown, debug: boolean): void {
  const label = hasColor(process.stderr) ? '\u001b[31merror:\u001b[39m' : 'error:';
  const text = error instanceof Error ? error.message : String(error);
  // A failure that Gradus did not foresee says what it is, so that it can be reported.
  const name = error instanceof Error && !(error instanceof GradusError) && !hasCode(error) ? `${error.name}: ` : '';
  process.stderr.write(`${label} ${name}${text.trim()}\n`);
  if (debug && error instanceof Error) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
      process.stderr.write(`${cause.stack}\n`);
  } else if (name) process.stderr.write('(add --debug to see where it comes from)\n');
}

const hasCode = (error: Error): boolean => 'code' in error && typeof error.code === 'string';

/** The option of a flag: `batchSize` is typed `--batch-size`. */
export const dashed = (name: string): string => `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;

/** @throws UsageError naming the options among `given` that do not belong here. */
export function refuseOptions(given: readonly string[], refused: readonly string[], why: string): void {
  const found = given.filter((name) => refused.includes(name));
  if (found.length > 0) throw new UsageError(`${found.map(dashed).join(', ')} ${why}`);
}
