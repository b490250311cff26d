/** @file gradus train: data to a trained, tested and kept model. */
import { join } from 'node:path';
import { setDevice } from '../../runtime/device.ts';
import { InterruptedError } from '../../train/index.ts';
import { parseAugmentations, usualAugmentations } from '../data/augment.ts';
import { PixelData } from '../data/images.ts';
import type { Prepared } from '../data/prepared.ts';
import { countClasses } from '../data/split.ts';
import { checkModel, modelFile } from '../model-file.ts';
import { buildModel, chooseModel, describeModel, type ModelCode, type ModelInfo } from '../models.ts';
import { drawPreview, showDrawn } from '../picture.ts';
import { type DataRequest, prepare, taskWord } from '../prepare.ts';
import { dashed, interruptedRun, oneOf, refuseOptions, UsageError } from '../problem.ts';
import { showResult, writeResult } from '../result.ts';
import {
  checkRunFolder,
  freeRunFolder,
  makeRunFolder,
  type RunRecord,
  readRun,
  type TrainOptions,
  taskOfRun,
} from '../run-folder.ts';
import { count, formatTable, printable, shellWord, someOf, Terminal } from '../terminal.ts';
import { textTask } from '../text/record.ts';
import { optimizers, runTraining, schedules, type TrainingResult } from '../training.ts';
import { packageVersion } from '../version.ts';

/** Options as the parser gives them. */
export interface TrainFlags {
  data?: string;
  train?: string;
  dataset?: string;
  config?: string;
  text?: string;
  label?: string;
  labels?: string[];
  maxLength?: number;
  freeze?: string[];
  warmup?: number;
  accumulate?: number;
  target?: string;
  epochs?: number;
  batchSize?: number;
  lr?: number;
  optimizer: string;
  schedule?: string;
  weightDecay?: number;
  clip?: number;
  patience?: number;
  balance?: boolean;
  augment?: string[] | true;
  imageSize?: [number, number];
  ignore: string[];
  categorical: string[];
  numeric: string[];
  model?: string;
  hidden?: number[];
  width?: number;
  dropout?: number;
  seed: number;
  val?: number | string;
  test?: number | string;
  limit?: number;
  strict?: boolean;
  device: string;
  workers: number;
  out?: string;
  resume?: boolean;
  overwrite?: boolean;
  preview?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** Runs the command. `args` are what was typed, `given` the names of the options among them. */
export async function train(
  word: string,
  flags: TrainFlags,
  { args, given }: { readonly args: readonly string[]; readonly given: readonly string[] },
): Promise<void> {
  const terminal = new Terminal(flags);
  const start = performance.now();
  const isText = flags.resume
    ? flags.out !== undefined && (await taskOfRun(flags.out)) === textTask
    : word === textTask;
  if (isText) {
    const { trainTexts } = await import('../text/train.ts');
    return await trainTexts(flags, { args, given, start }, terminal);
  }
  refuseOptions(given, textOnly, `is for ${textTask}`);
  if (flags.resume) await resume(flags, given, terminal, start);
  else await startNew(word, flags, args, terminal, start);
}

/** Options that only text-classification has. */
const textOnly = [
  'train',
  'dataset',
  'config',
  'text',
  'label',
  'labels',
  'maxLength',
  'freeze',
  'warmup',
  'accumulate',
];

const usual = {
  image: { epochs: 10, batchSize: 64, lr: 3e-3, patience: 0 },
  table: { epochs: 100, batchSize: 32, lr: 2e-3, patience: 15 },
};

async function startNew(
  word: string,
  flags: TrainFlags,
  args: readonly string[],
  terminal: Terminal,
  start: number,
): Promise<void> {
  const task = taskWord(word);
  if (flags.data === undefined)
    throw new UsageError('which data? Say --data <path> (gradus train --help shows examples)');
  oneOf('optimizer', flags.optimizer, optimizers);
  if (flags.schedule !== undefined) oneOf('schedule', flags.schedule, schedules);
  const named = Array.isArray(flags.augment) ? parseAugmentations(flags.augment) : undefined;
  const ownModel = flags.model === undefined ? undefined : await modelFile(flags.model);
  setDevice(flags.device);
  const folder = flags.out ?? (await freeRunFolder(flags.data));
  if (!flags.preview) await checkRunFolder(folder, flags.overwrite ?? false);
  const request = requestOf(flags);
  const prepared = await prepare(task, flags.data, request, terminal);
  if (flags.augment && !(prepared.train instanceof PixelData))
    throw new UsageError('--augment is for images; these data are a table');
  const augment = named ?? (flags.augment === true ? usualAugmentations(prepared.inputShape[0]) : []);
  if (flags.preview) return await preview(flags, folder, prepared, augment, terminal);
  showSplit(prepared, flags.strict ?? false, terminal);
  const info = infoOf(prepared);
  const code = ownModel ?? chooseModel(info, prepared.train.length, flags);
  const options = optionsOf(flags, request, prepared, augment);
  const model = await makeModel(code, info, options.seed);
  const record: RunRecord = {
    format: 1,
    gradus: packageVersion(),
    node: process.version,
    command: [...args],
    created: new Date().toISOString(),
    status: 'training',
    task: prepared.task,
    data: {
      ...prepared.description,
      path: flags.data,
      features: prepared.inputShape[0],
      train: prepared.train.length,
      val: prepared.val?.length ?? 0,
      test: prepared.test?.length ?? 0,
    },
    options,
    preprocess: prepared.preprocess,
    model: code,
    parameters: model.parameters().reduce((sum, p) => sum + p.numel(), 0),
    epochs: 0,
    bestEpoch: null,
    results: {},
  };
  showModel(record, terminal);
  await makeRunFolder(folder);
  await runAndShow(folder, record, prepared, model, false, terminal, flags.json ?? false, start);
}

async function makeModel(code: ModelCode, info: ModelInfo, seed: number) {
  const model = await buildModel(code, info, seed);
  if (code.kind === 'file') await checkModel(model, info, code.file);
  return model;
}

function requestOf(flags: TrainFlags): DataRequest {
  return {
    target: flags.target,
    ignore: flags.ignore,
    categorical: flags.categorical,
    numeric: flags.numeric,
    imageSize: flags.imageSize,
    val: flags.val,
    test: flags.test,
    seed: flags.seed,
    limit: flags.limit,
    strict: flags.strict ?? false,
  };
}

/** The request that a run was started with. */
export function requestOfRun({ options, preprocess }: RunRecord): DataRequest {
  return {
    ...options,
    target: options.target ?? undefined,
    val: options.val ?? undefined,
    test: options.test ?? undefined,
    limit: options.limit ?? undefined,
    imageSize: preprocess.kind === 'image' ? [preprocess.height, preprocess.width] : undefined,
  };
}

function optionsOf(
  flags: TrainFlags,
  request: DataRequest,
  prepared: Prepared,
  augment: TrainOptions['augment'],
): TrainOptions {
  const defaults = prepared.inputShape.length === 3 ? usual.image : usual.table;
  const lr = flags.lr ?? defaults.lr * (flags.optimizer === 'sgd' ? 10 : flags.optimizer === 'lion' ? 0.1 : 1);
  return {
    epochs: flags.epochs ?? defaults.epochs,
    // A small data set needs enough steps per epoch.
    batchSize:
      flags.batchSize ??
      Math.max(4, Math.min(defaults.batchSize, 2 ** Math.floor(Math.log2(Math.max(8, prepared.train.length / 8))))),
    lr,
    optimizer: flags.optimizer,
    schedule: flags.schedule ?? 'onecycle',
    weightDecay:
      flags.weightDecay ??
      (flags.optimizer === 'adamw' || flags.optimizer === 'lion' || flags.optimizer === 'lamb'
        ? 0.01
        : flags.optimizer === 'sgd'
          ? 5e-4
          : 0),
    clip: flags.clip ?? null,
    patience: flags.patience ?? defaults.patience,
    balance: flags.balance ?? false,
    augment,
    seed: flags.seed,
    val: flags.val ?? null,
    test: flags.test ?? null,
    limit: flags.limit ?? null,
    strict: request.strict,
    device: flags.device,
    workers: flags.workers,
    target: flags.target ?? null,
    ignore: flags.ignore,
    categorical: flags.categorical,
    numeric: flags.numeric,
  };
}

export function infoOf({ task, inputShape, classes }: Pick<Prepared, 'task' | 'inputShape' | 'classes'>): ModelInfo {
  return { task, inputShape, outputs: task === 'tabular-regression' ? 1 : classes.length, classes };
}

/** Prints the sizes of the parts, by class, and warns of classes too small to be judged. */
function showSplit({ task, train, val, test, classes }: Prepared, strict: boolean, terminal: Terminal): void {
  terminal.say(
    `  ${count(train.length, 'sample')} to train on, ${val?.length ?? 0} for validation, ${test?.length ?? 0} for the test`,
  );
  if (train.length < 2) throw new UsageError(`${count(train.length, 'sample')} to train on; at least 2 are needed`);
  if (task === 'tabular-regression') return;
  const counts = [train, val, test].map((part) => countClasses(part?.labels ?? [], classes.length));
  const rows = classes.map((name, c) => [printable(name, 40), ...counts.map((part) => part[c])]);
  if (classes.length <= 40) terminal.say(formatTable(['class', 'train', 'val', 'test'], rows));
  const totals = classes.map((_, c) => counts.reduce((sum, part) => sum + part[c], 0));
  for (const [text, n] of [
    ['no sample', 0],
    ['only one sample', 1],
  ] as const) {
    const poor = classes.filter((_, c) => totals[c] === n);
    if (poor.length === 0) continue;
    const plural = poor.length > 1;
    const told = `${plural ? 'classes' : 'class'} ${someOf(poor)} ${plural ? 'have' : 'has'} ${text}${plural ? ' each' : ''}; nothing can be learnt or judged of ${plural ? 'them' : 'it'}`;
    if (strict) throw new UsageError(`${told}; add samples or remove the ${plural ? 'classes' : 'class'}`);
    terminal.warn(`${told} (--strict makes this an error)`);
  }
  const [most, least] = [Math.max(...counts[0]), Math.min(...counts[0].filter((n) => n > 0))];
  if (most >= 5 * least)
    terminal.say(
      `  the largest class has ${Math.round(most / least)} times the samples of the smallest; --balance weighs them equally`,
    );
}

function showModel({ model, parameters, options, task }: RunRecord, terminal: Terminal): void {
  terminal.heading('Model');
  terminal.say(`  ${describeModel(model)}; ${count(parameters, 'parameter')}`);
  terminal.say(
    `  ${task}: ${count(options.epochs, 'epoch')}, batches of ${options.batchSize}, ${options.optimizer}, lr ${options.lr} (${options.schedule}), seed ${options.seed}${options.augment.length ? `, augmentation ${options.augment.join(', ')}` : ''}`,
  );
}

async function preview(
  flags: TrainFlags,
  folder: string,
  prepared: Prepared,
  augment: TrainOptions['augment'],
  terminal: Terminal,
): Promise<void> {
  if (!(prepared.train instanceof PixelData)) throw new UsageError('--preview draws images; these data are a table');
  const files = await drawPreview(folder, prepared.train, augment, flags.seed);
  terminal.say(
    `\n${files.map((file) => join(folder, file)).join(', ')}: samples ${augment.length ? `with ${augment.join(', ')}` : 'without augmentation'}; nothing was trained`,
  );
  await showDrawn(folder, 'preview', terminal);
  if (flags.json) process.stdout.write(`${JSON.stringify({ preview: files.map((file) => join(folder, file)) })}\n`);
}

/** Options that may differ when a run goes on. */
const changeable = ['out', 'resume', 'epochs', 'workers', 'json', 'quiet', 'debug', 'data', 'device', 'model'];

async function resume(flags: TrainFlags, given: readonly string[], terminal: Terminal, start: number): Promise<void> {
  if (flags.out === undefined) throw new UsageError('which run? Say --resume --out <folder of the run>');
  const fixed = given.filter((name) => !changeable.includes(name));
  if (fixed.length > 0)
    throw new UsageError(
      `--resume goes on with the options of the run; only --epochs, --data, --device and --workers may be given, not ${fixed.map(dashed).join(', ')}`,
    );
  const old = await readRun(flags.out);
  const options: TrainOptions = {
    ...old.options,
    epochs: flags.epochs ?? old.options.epochs,
    ...(given.includes('workers') ? { workers: flags.workers } : {}),
    ...(given.includes('device') ? { device: flags.device } : {}),
  };
  if (old.status === 'finished' && (options.epochs <= old.epochs || options.epochs === old.options.epochs))
    throw new UsageError(
      `${flags.out} has finished its training (${count(old.epochs, 'epoch')}${old.results.stopped ? `; ${old.results.stopped}` : ''}); to train longer say --epochs with more than ${old.options.epochs}`,
    );
  setDevice(options.device);
  const path = flags.data ?? old.data.path;
  const record: RunRecord = { ...old, options, data: { ...old.data, path }, status: 'training' };
  const prepared = await prepare(old.task, path, requestOfRun(record), terminal);
  if (
    prepared.train.length !== old.data.train ||
    JSON.stringify(prepared.preprocess) !== JSON.stringify(old.preprocess)
  )
    throw new UsageError(
      `${path} is not what the run was started with (${old.data.train} samples to train on, now ${prepared.train.length}, or other contents); start a new run`,
    );
  const code = await codeOfRun(old.model, flags.model);
  const model = await makeModel(code, infoOf(prepared), options.seed);
  showModel(record, terminal);
  await runAndShow(flags.out, record, prepared, model, true, terminal, flags.json ?? false, start);
}

/** A run's folder may come from anybody: code is run only if the user names it, and it is what the run was started with. */
async function codeOfRun(kept: ModelCode, named: string | undefined): Promise<ModelCode> {
  if (kept.kind !== 'file') {
    if (named !== undefined) throw new UsageError('the run was started without --model; it goes on without');
    return kept;
  }
  if (named === undefined)
    throw new UsageError(`the model of this run is code of one's own; to run it again say --model ${kept.file}`);
  const code = await modelFile(named);
  if (code.sha256 !== kept.sha256)
    throw new UsageError(
      `--model ${named} is not the file that the run was started with, or it has changed since; start a new run`,
    );
  return code;
}

async function runAndShow(
  folder: string,
  record: RunRecord,
  prepared: Prepared,
  model: Awaited<ReturnType<typeof buildModel>>,
  resumed: boolean,
  terminal: Terminal,
  json: boolean,
  start: number,
): Promise<void> {
  terminal.heading('Training');
  let result: TrainingResult;
  try {
    result = await runTraining({ folder, record, prepared, model, resume: resumed }, terminal);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    throw interruptedRun(folder, error);
  }
  const { onnxProblem, ...outcome } = result;
  const { train, val, test } = prepared;
  const shown = { ...outcome, folder, size: (test ?? val ?? train).length, unit: 'sample', start };
  await showResult(shown, terminal);
  if (onnxProblem !== undefined) terminal.warn(`no model.onnx: ${onnxProblem}`);
  showNext(folder, record, prepared, terminal);
  const samples = { train: train.length, val: val?.length ?? 0, test: test?.length ?? 0 };
  writeResult(shown, json, { task: record.task, samples, parameters: record.parameters }, terminal);
}

function showNext(folder: string, { data }: RunRecord, prepared: Prepared, terminal: Terminal): void {
  const run = shellWord(folder);
  const image = prepared.train instanceof PixelData;
  terminal.heading('Next');
  terminal.say(`  npx gradus evaluate ${run}${prepared.test ? '' : ` --data <${image ? 'folder' : 'table'}>`}`);
  terminal.say(`  npx gradus predict ${run} ${image ? '<image or folder>' : shellWord(data.path)}`);
  terminal.say(`  npx gradus inspect ${run}/model.onnx`);
}
