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
  // `require` names the CommonJS form, which cannot be loaded where the main thread itself runs under tsx.
  const api = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm/api')).href.replace(/\.cjs$/, '.mjs');
  const code = `import { register } from ${JSON.stringify(api)}; register(); await import(${JSON.stringify(entry.href)});`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}

/** The file that is really there: TypeScript in development, JavaScript when installed. */
function built(source: URL): URL {
  return isTypeScript(import.meta.url) ? source : new URL(source.href.replace(/\.ts$/, '.js'));
}

/**
 * A worker thread that runs a file of this package.
 * @param source URL of the TypeScript file, `new URL('./entry.ts', import.meta.url)`
 * @param options.alsoImports URL of a user's module that the worker will import
 */
export function startWorker(source: URL, workerData: unknown, options: { alsoImports?: string } = {}): Worker {
  const url = built(source);
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
export function startProcess(source: URL, heapMegabytes: number): ChildProcess {
  const url = built(source);
  const loader = isTypeScript(url.href)
    ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href]
    : [];
  return fork(fileURLToPath(url), {
    execArgv: [...inheritedExecArgv(), ...loader, `--max-old-space-size=${heapMegabytes}`],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
}
