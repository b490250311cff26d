/** @file The gradus command. Exit codes: 0 done, 1 wrong use or data, 130 interrupted. */
import { CommanderError } from 'commander';
import { tellError } from './problem.ts';
import { buildProgram } from './program.ts';

const debug = process.argv.includes('--debug');

// A reader that has seen enough (`| head`) closes the pipe; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await buildProgram().parseAsync(process.argv);
} catch (error) {
  // Commander has already said what is wrong with the command line.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 1;
  else {
    tellError(error, debug);
    process.exitCode = 1;
  }
}
