/** @file One command from its arguments to its exit code: 0 done, 1 wrong use or data, 130 interrupted. */
import { CommanderError } from 'commander';
import { Interrupted, tellError } from './problem.ts';
import { buildProgram } from './program.ts';

/** Runs `gradus ...args`; errors are told on stderr. Returns the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    await buildProgram(args).parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has already said what is wrong with the command line.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 1;
    if (error instanceof Interrupted) {
      process.stderr.write(`\n${error.message}\n`);
      return 130;
    }
    tellError(error, args.includes('--debug'));
    return 1;
  }
}
