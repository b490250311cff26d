/** @file gradus train text-classification: a pretrained model fine-tuned on labelled texts. */
import { AutoTokenizer, type Tokenizer } from '../../hub/index.ts';
import {
  checkVocabulary,
  longestInput,
  type PreTrainedModel,
  paddingShare,
  type TokenizedTexts,
} from '../../models/index.ts';
import { setDevice } from '../../runtime/device.ts';
import type { TrainFlags } from '../commands/train.ts';
import { countClasses } from '../data/split.ts';
import { oneOf, refuseOptions, UsageError } from '../problem.ts';
import { showResult, writeResult } from '../result.ts';
import { checkRunFolder, freeRunFolder, makeRunFolder } from '../run-folder.ts';
import { count, formatTable, printable, shellWord, someOf, type Terminal } from '../terminal.ts';
import { optimizers } from '../training.ts';
import { packageVersion } from '../version.ts';
import { encodePart, type PreparedTexts, prepareTexts, type TextRequest } from './data.ts';
import { readTextRun, type TextOptions, type TextRecord, textTask } from './record.ts';
import { loadModel, runTextTraining, textSchedules } from './training.ts';

/** Options of other tasks. */
const notForTexts = [
  ...['target', 'augment', 'preview', 'imageSize', 'ignore', 'categorical', 'numeric', 'hidden', 'width', 'dropout'],
  'workers',
];

interface Call {
  /** What was typed. */
  readonly args: readonly string[];
  /** Names of the options among it. */
  readonly given: readonly string[];
  readonly start: number;
}

/** Runs the command. */
export async function trainTexts(flags: TrainFlags, call: Call, terminal: Terminal): Promise<void> {
  refuseOptions(call.given, notForTexts, `cannot be used with ${textTask}`);
  if (flags.resume) return await resume(flags, call, terminal);
  const source = sourceOf(flags);
  if (flags.model === undefined)
    throw new UsageError(
      'which pretrained model? Say --model <folder or hub name>, such as sentence-transformers/all-MiniLM-L6-v2',
    );
  oneOf('optimizer', flags.optimizer, optimizers);
  if (flags.schedule !== undefined) oneOf('schedule', flags.schedule, textSchedules);
  setDevice(flags.device);
  const folder = flags.out ?? (await freeRunFolder(source.path));
  await checkRunFolder(folder, flags.overwrite ?? false);
  const options = optionsOf(flags);
  const request: TextRequest = {
    ...source,
    config: flags.config,
    text: flags.text,
    label: flags.label,
    labels: flags.labels,
    val: flags.val,
    test: flags.test,
    seed: flags.seed,
    limit: flags.limit,
    strict: options.strict,
  };
  const tokenizer = await openTokenizer(flags.model, options.maxLength);
  const texts = await prepareTexts(request, terminal);
  showClasses(texts, options.strict, terminal);
  const parts = await encodeAll(texts, tokenizer, options, terminal);
  terminal.heading('Model');
  const model = await loadModel(flags.model, texts.classes, options, terminal);
  checkModel(model, tokenizer, flags.model, options.maxLength);
  const weights = (trained: boolean) =>
    model.parameters().reduce((sum, p) => sum + (p.requiresGrad || !trained ? p.numel() : 0), 0);
  const record: TextRecord = {
    format: 1,
    gradus: packageVersion(),
    node: process.version,
    command: [...call.args],
    created: new Date().toISOString(),
    status: 'training',
    task: textTask,
    model: flags.model,
    data: {
      ...source,
      ...(flags.config === undefined ? {} : { config: flags.config }),
      ...texts.columns,
      train: parts.train.length,
      val: parts.val?.length ?? 0,
      test: parts.test?.length ?? 0,
      sha256: texts.sha256,
    },
    options,
    classes: [...texts.classes],
    parameters: weights(false),
    trainable: weights(true),
    epochs: 0,
    bestEpoch: null,
    results: {},
  };
  showModel(record, terminal);
  await makeRunFolder(folder);
  await runAndShow(folder, record, { ...parts, model, tokenizer, resume: false }, flags, terminal, call.start);
}

/** Where the texts come from: --train or --data, or --dataset of the hub. */
function sourceOf({ data, train, dataset }: TrainFlags): { path: string; hub: boolean } {
  const named = Object.entries({ data, train, dataset }).filter(([, value]) => value !== undefined);
  if (named.length > 1)
    throw new UsageError(`${named.map(([name]) => `--${name}`).join(' and ')} both name the data; give one`);
  const path = train ?? data ?? dataset;
  if (path === undefined)
    throw new UsageError(
      'which texts? Say --train <file> (and --test <file>), --data <file or folder> or --dataset <hub data set>',
    );
  return { path, hub: dataset !== undefined };
}

function optionsOf(flags: TrainFlags): TextOptions {
  return {
    epochs: flags.epochs ?? 3,
    batchSize: flags.batchSize ?? 16,
    accumulate: flags.accumulate ?? 1,
    maxLength: flags.maxLength ?? 256,
    lr: flags.lr ?? 5e-5,
    optimizer: flags.optimizer,
    schedule: flags.schedule ?? 'linear',
    warmup: flags.warmup ?? 0.1,
    weightDecay: flags.weightDecay ?? 0.01,
    clip: flags.clip ?? 1,
    patience: flags.patience ?? 0,
    balance: flags.balance ?? false,
    freeze: flags.freeze ?? [],
    seed: flags.seed,
    val: flags.val ?? null,
    test: flags.test ?? null,
    limit: flags.limit ?? null,
    strict: flags.strict ?? false,
    device: flags.device,
  };
}

/** The model's tokenizer; in the kept files its longest input is the one of this training. */
async function openTokenizer(model: string, maxLength: number): Promise<Tokenizer> {
  const original = await AutoTokenizer.fromPretrained(model);
  const most = original.modelMaxLength;
  if (most !== undefined && maxLength > most)
    throw new UsageError(`--max-length ${maxLength}: ${model} reads at most ${most} tokens`);
  return await AutoTokenizer.fromPretrained(model, { modelMaxLength: maxLength });
}

function checkModel(model: PreTrainedModel, tokenizer: Tokenizer, source: string, maxLength: number): void {
  checkVocabulary(model, tokenizer, source);
  const most = longestInput(model, tokenizer);
  if (maxLength > most) throw new UsageError(`--max-length ${maxLength}: ${source} reads at most ${most} tokens`);
}

/** Texts per class and part; classes that cannot be learnt or judged. */
function showClasses({ train, val, test, classes }: PreparedTexts, strict: boolean, terminal: Terminal): void {
  const counts = [train, val, test].map((part) => countClasses(part?.labels ?? [], classes.length));
  terminal.say(
    `  ${count(train.texts.length, 'text')} to train on, ${val?.texts.length ?? 0} for validation, ${test?.texts.length ?? 0} for the test`,
  );
  const rows = classes.map((name, c) => [printable(name, 40), ...counts.map((part) => part[c])]);
  if (classes.length <= 40) terminal.say(formatTable(['class', 'train', 'val', 'test'], rows));
  else {
    const sorted = [...counts[0]].sort((a, b) => a - b);
    terminal.say(`  texts per class: ${sorted[0]} to ${sorted.at(-1)}, median ${sorted[sorted.length >> 1]}`);
  }
  for (const [n, what] of [
    [0, 'no text'],
    [1, 'only one text'],
  ] as const) {
    const poor = classes.filter((_, c) => counts[0][c] === n);
    if (poor.length === 0) continue;
    const told = `${poor.length === 1 ? 'class' : 'classes'} ${someOf(poor)}: ${what} to train on${poor.length === 1 ? '' : ' each'}`;
    if (strict) throw new UsageError(`${told}; add texts or remove the class`);
    terminal.warn(`${told}; little can be learnt of that (--strict makes this an error)`);
  }
  const [most, least] = [Math.max(...counts[0]), Math.min(...counts[0].filter((n) => n > 0))];
  if (most >= 5 * least)
    terminal.say(
      `  the largest class has ${Math.round(most / least)} times the texts of the smallest; --balance weighs them equally`,
    );
}

async function encodeAll(texts: PreparedTexts, tokenizer: Tokenizer, options: TextOptions, terminal: Terminal) {
  const start = performance.now();
  const encode = async (part: PreparedTexts['val']) => part && (await encodePart(part, tokenizer, options.maxLength));
  const train = await encodePart(texts.train, tokenizer, options.maxLength);
  const parts = { train, val: await encode(texts.val), test: await encode(texts.test) };
  const seconds = (performance.now() - start) / 1000;
  const all = Object.values(parts).flatMap((part) => (part ? [part.statistics().tokens] : []));
  const tokens = all.reduce((a, b) => a + b, 0);
  const { median, p95, longest, truncated } = train.statistics();
  const padding = paddingShare(train, { ...options, shuffle: true });
  const n = (value: number) => value.toLocaleString('en-US');
  terminal.say(
    `  tokens per text: median ${n(median)}, 95 of 100 up to ${n(p95)}, longest ${n(longest)}; ${(100 * truncated).toFixed(1)} % are cut at ${options.maxLength} (--max-length)`,
  );
  terminal.say(
    `  ${n(tokens)} tokens read in ${seconds.toFixed(1)} s (${n(Math.round(tokens / seconds))}/s); padding will be ${(100 * padding).toFixed(1)} % of what is computed`,
  );
  return parts;
}

function showModel({ model, parameters, trainable, options, classes }: TextRecord, terminal: Terminal): void {
  const { epochs, batchSize, accumulate, optimizer, lr, schedule, warmup, seed } = options;
  const frozen = trainable < parameters ? `, ${trainable.toLocaleString('en-US')} of them trained` : '';
  terminal.say(`  ${model}: ${count(parameters, 'parameter')}${frozen}; ${classes.length} classes`);
  terminal.say(
    `  ${count(epochs, 'epoch')}, batches of ${batchSize}${accumulate > 1 ? ` x ${accumulate}` : ''}, ${optimizer}, lr ${lr} (${schedule}, warm-up ${warmup < 1 ? `${100 * warmup} %` : warmup}), seed ${seed}`,
  );
}

/** Options that may differ when a run goes on. */
const changeable = ['out', 'resume', 'epochs', 'json', 'quiet', 'debug', 'data', 'train', 'dataset', 'device', 'model'];

async function resume(flags: TrainFlags, { given, start }: Call, terminal: Terminal): Promise<void> {
  if (flags.out === undefined) throw new UsageError('which run? Say --resume --out <folder of the run>');
  refuseOptions(
    given.filter((name) => !changeable.includes(name)),
    given,
    'cannot be changed: --resume goes on with the options of the run; only --epochs, --train, --model and --device may be given',
  );
  const old = await readTextRun(flags.out);
  const options: TextOptions = {
    ...old.options,
    epochs: flags.epochs ?? old.options.epochs,
    ...(given.includes('device') ? { device: flags.device } : {}),
  };
  if (old.status === 'finished' && options.epochs <= old.epochs)
    throw new UsageError(
      `${flags.out} has finished its training (${count(old.epochs, 'epoch')}); to train longer say --epochs with more than ${old.options.epochs}`,
    );
  setDevice(options.device);
  const source = flags.data ?? flags.train ?? flags.dataset ?? old.data.path;
  const texts = await prepareTexts(
    {
      ...old.data,
      config: old.data.config,
      path: source,
      labels: old.classes,
      val: options.val ?? undefined,
      test: options.test ?? undefined,
      seed: options.seed,
      limit: options.limit ?? undefined,
      strict: options.strict,
    },
    terminal,
  );
  if (texts.sha256 !== old.data.sha256)
    throw new UsageError(`${source} does not hold the texts that the run was started with; start a new run`);
  const from = flags.model ?? old.model;
  const tokenizer = await openTokenizer(from, options.maxLength);
  const parts = await encodeAll(texts, tokenizer, options, terminal);
  terminal.heading('Model');
  const model = await loadModel(from, old.classes, options, terminal);
  checkModel(model, tokenizer, from, options.maxLength);
  const record: TextRecord = { ...old, options, model: from, data: { ...old.data, path: source }, status: 'training' };
  showModel(record, terminal);
  await runAndShow(flags.out, record, { ...parts, model, tokenizer, resume: true }, flags, terminal, start);
}

interface Parts {
  readonly train: TokenizedTexts;
  readonly val: TokenizedTexts | undefined;
  readonly test: TokenizedTexts | undefined;
  readonly model: PreTrainedModel;
  readonly tokenizer: Tokenizer;
  readonly resume: boolean;
}

async function runAndShow(
  folder: string,
  started: TextRecord,
  parts: Parts,
  flags: TrainFlags,
  terminal: Terminal,
  start: number,
): Promise<void> {
  terminal.heading('Training');
  const { record, data, seconds, ...outcome } = await runTextTraining({ folder, record: started, ...parts }, terminal);
  const { fit } = outcome;
  const tokens = parts.train.lengths.reduce((sum, n) => sum + n, 0) * fit.history.length;
  if (!parts.resume)
    terminal.say(
      `  ${seconds.toFixed(1)} s, validation included; ${Math.round(tokens / seconds).toLocaleString('en-US')} tokens/s`,
    );
  const shown = { ...outcome, folder, size: data.length, unit: 'text', start };
  await showResult(shown, terminal);
  terminal.heading('Next');
  terminal.say(`  npx gradus predict ${shellWord(folder)} "a text of your own"`);
  terminal.say(`  npx gradus evaluate ${shellWord(folder)} --data <table>`);
  const { task, classes, parameters, results } = record;
  const { train, val, test } = record.data;
  writeResult(
    shown,
    flags.json ?? false,
    { task, classes, texts: { train, val, test }, parameters, results },
    terminal,
  );
}
