/** @file A model of one's own: a TypeScript or JavaScript file whose default export makes a Module. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { register } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Module } from '../nn/index.ts';
import { compile, noGrad, type Tensor, zeros } from '../tensor/index.ts';
import { checkExists } from './data/detect.ts';
import type { ModelCode, ModelInfo } from './models.ts';
import { UsageError } from './problem.ts';

/** A file as run.json names it. @throws UsageError where there is none. */
export async function modelFile(file: string): Promise<Extract<ModelCode, { kind: 'file' }>> {
  if (!/\.[cm]?[jt]s$/.test(file))
    throw new UsageError(`--model ${file}: expected a TypeScript or JavaScript file that exports a model by default`);
  if ((await checkExists(file)) === 'folder') throw new UsageError(`--model ${file}: expected a file, found a folder`);
  return { kind: 'file', file: resolve(file), sha256: await sha256(file) };
}

/** Hexadecimal SHA-256 of a file. */
export async function sha256(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

let prepared = false;

/** Lets `import()` read TypeScript, lets `import 'gradus'` mean this very package wherever the file lies, and takes
 * .ts and .js as modules without a package.json that says so. */
async function prepareImports(): Promise<void> {
  if (prepared) return;
  prepared = true;
  const runsTypeScript = process.execArgv.some((arg) => /\btsx\b/.test(arg));
  if (!runsTypeScript) (await import('tsx/esm/api')).register();
  const hook = `const parent = ${JSON.stringify(import.meta.url)};
const isOurs = (name) => name === 'gradus' || name.startsWith('gradus/');
const isCode = ({ url }) => /\\.[jt]s(\\?|$)/.test(url) && !url.includes('/node_modules/');
export async function resolve(name, context, next) {
  if (isOurs(name)) return await next(name, { ...context, parentURL: parent });
  const found = await next(name, context);
  return /^[./]|^file:/.test(name) && isCode(found) ? { ...found, format: 'module' } : found;
}`;
  register(`data:text/javascript,${encodeURIComponent(hook)}`);
}

/** The Module that the file's default export is or makes: a class, a function of the ModelInfo, or an instance. */
export async function loadUserModel(file: string, info: ModelInfo): Promise<Module> {
  await checkExists(file);
  await prepareImports();
  let loaded: { default?: unknown };
  try {
    loaded = await import(pathToFileURL(file).href);
  } catch (cause) {
    throw new UsageError(`--model ${file} cannot be loaded: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
  const { default: exported } = loaded;
  let model: unknown;
  try {
    model = await make(exported, info);
  } catch (cause) {
    throw new UsageError(
      `--model ${file}: making the model failed: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  }
  if (!(model instanceof Module))
    throw new UsageError(
      `--model ${file}: the default export must be a class that extends nn.Module, or a function (info) => Module; found ${exported === undefined ? `no default export (it exports ${Object.keys(loaded).join(', ') || 'nothing'})` : typeof model}`,
    );
  return model;
}

type Maker = (info: ModelInfo) => unknown;
type ModuleClass = new (info: ModelInfo) => Module;

async function make(exported: unknown, info: ModelInfo): Promise<unknown> {
  if (typeof exported !== 'function') return exported;
  if (exported.prototype instanceof Module) return new (exported as ModuleClass)(info);
  return await (exported as Maker)(info);
}

/** Runs the model once on zeros. @throws UsageError where its output does not have the right shape. */
export async function checkModel(model: Module, info: ModelInfo, file: string): Promise<void> {
  const batch = 2;
  model.eval();
  let output: unknown;
  try {
    const run = compile((x: Tensor) => noGrad(() => model.forward(...([x] as never[])) as Tensor));
    output = await run(zeros([batch, ...info.inputShape]));
  } catch (cause) {
    throw new UsageError(
      `--model ${file} fails on an input of shape [${[batch, ...info.inputShape].join(', ')}]: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  } finally {
    model.train();
  }
  const shape = [...(output as Tensor).shape];
  const fits =
    shape[0] === batch && (shape.length === 2 ? shape[1] === info.outputs : shape.length === 1 && info.outputs === 1);
  if (!fits)
    throw new UsageError(
      `--model ${file} gives shape [${shape.join(', ')}] for a batch of ${batch}; expected [${batch}, ${info.outputs}]: ${info.classes.length ? 'one score per class, before softmax' : 'one number per row'}`,
    );
  if (model.parameters().length === 0) throw new UsageError(`--model ${file} has no parameters to train`);
}
