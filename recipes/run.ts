/** @file Runs a recipe in a process of its own, as its README says, and gives back what it printed. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Standard output of `recipes/<name>` with arguments. @throws where it fails, or writes to standard error. */
export async function runRecipe(name: string, args: readonly string[]): Promise<string> {
  const script = join(import.meta.dirname, name);
  const command = ['-C', 'gradus-source', '--import', import.meta.resolve('tsx'), script, ...args];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, command);
  if (stderr) throw new Error(stderr);
  return stdout;
}
