/** @file Starting worker threads and child processes from sources in TypeScript or from the built package. */
import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

/** Node options a worker may be given and needs to find modules as the main thread does. */
function inheritedExecArgv(): string[] {
  const out: string[] = [];
  const args = process.execArgv;
  for (let i = 0; i < args.length; i++) {
    if (/^(-C|--conditions|--import|--loader|--experimental-loader)$/.test(args[i])) out.push(args[i], args[++i] ?? '');
    else if (/^(--conditions|--import|--loader|--experimental-loader)=/.test(args[i])) out.push(args[i]);
  }
  return out;
}

const isTypeScript = (url: string): boolean => /\.[cm]?tsx?(\?|$)/.test(url);

/** A start script that lets the worker import TypeScript (tsx's own `--import` hook works in the main thread only). */
function typeScriptStart(entry: URL): URL {
  const api = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm/api')).href;
  const code = `import { register } from ${JSON.stringify(api)}; register(); await import(${JSON.stringify(entry.href)});`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}

/**
 * A worker thread that runs a file of this package.
 * @param from `import.meta.url` of the caller
 * @param entry path relative to it, without extension: TypeScript in development, JavaScript when installed
 * @param options.alsoImports URL of a user's module that the worker will import
 */
export function startWorker(
  from: string,
  entry: string,
  workerData: unknown,
  options: { alsoImports?: string } = {},
): Worker {
  const url = new URL(`${entry}${isTypeScript(from) ? '.ts' : '.js'}`, from);
  const typed = isTypeScript(url.href) || (options.alsoImports !== undefined && isTypeScript(options.alsoImports));
  return new Worker(typed ? typeScriptStart(url) : url, {
    workerData,
    execArgv: inheritedExecArgv(),
  });
}

/**
 * A child process that runs a file of this package and talks by messages (structured cloning), with a limit of heap.
 * Where a worker thread is not enough: running out of memory in a thread ends the whole process.
 */
export function startProcess(from: string, entry: string, heapMegabytes: number): ChildProcess {
  const typed = isTypeScript(from);
  const loader = typed ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : [];
  return fork(fileURLToPath(new URL(`${entry}${typed ? '.ts' : '.js'}`, from)), {
    execArgv: [...inheritedExecArgv(), ...loader, `--max-old-space-size=${heapMegabytes}`],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
}
