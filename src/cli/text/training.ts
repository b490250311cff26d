/** @file Fine-tuning of a text classifier: model, Trainer, judgement, and what is kept of it. */
import { join } from 'node:path';
import type { Tokenizer } from '../../hub/index.ts';
import {
  AutoModelForSequenceClassification,
  decayGroups,
  type PreTrainedModel,
  saveForInference,
  TextClassifier,
  type TokenizedTexts,
  textLoader,
} from '../../models/index.ts';
import { crossEntropy } from '../../nn/functional/index.ts';
import * as optim from '../../optim/index.ts';
import { manualSeed, type Tensor } from '../../tensor/index.ts';
import {
  accuracy,
  type Batch,
  classScores,
  earlyStopping,
  type FitResult,
  InterruptedError,
  MetricsWriter,
  readMetrics,
  type StepResult,
  Trainer,
} from '../../train/index.ts';
import { drawReport, type StepLosses, stepLosses } from '../picture.ts';
import { interruptedRun, UsageError } from '../problem.ts';
import { writeRun } from '../run-folder.ts';
import { judgeClasses, type Score } from '../score.ts';
import { count, type Terminal } from '../terminal.ts';
import { classWeights, optimizerOf } from '../training.ts';
import type { TextOptions, TextRecord } from './record.ts';

export const textSchedules = ['linear', 'cosine', 'constant'] as const;

/** Everything that training needs. */
export interface TextRun {
  readonly folder: string;
  readonly record: TextRecord;
  readonly model: PreTrainedModel;
  readonly tokenizer: Tokenizer;
  readonly train: TokenizedTexts;
  readonly val: TokenizedTexts | undefined;
  readonly test: TokenizedTexts | undefined;
  readonly resume: boolean;
}

/** The pretrained model with a new head for these classes, frozen where asked. Says what is new. */
export async function loadModel(
  source: string,
  classes: readonly string[],
  { seed, freeze }: { seed: number; freeze: readonly string[] },
  terminal: Terminal,
): Promise<PreTrainedModel> {
  // A new head has random weights.
  manualSeed(seed);
  let fresh: readonly string[] = [];
  const model = await AutoModelForSequenceClassification.fromPretrained(source, {
    labels: classes,
    problemType: 'single_label_classification',
    ignoreMismatchedSizes: true,
    onLoad: ({ newKeys }) => {
      fresh = newKeys;
    },
  });
  for (const pattern of freeze) model.freeze(freezePattern(pattern));
  if (!model.parameters().some((p) => p.requiresGrad))
    throw new UsageError(`--freeze ${freeze.join(',')} leaves no parameter to train`);
  if (fresh.length) terminal.say(`  new weights, trained from nothing: ${fresh.join(', ')}`);
  return model;
}

/** `bert.embeddings` is that and all below it; with `*` a name must match as a whole. */
function freezePattern(pattern: string): string | RegExp {
  if (!pattern.includes('*')) return pattern;
  return new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);
}

function scheduleOf({ schedule, warmup }: TextOptions) {
  return (optimizer: optim.Optimizer, total: number | undefined): optim.Scheduler => {
    const numTrainingSteps = total ?? 1;
    const numWarmupSteps = warmup < 1 ? Math.round(warmup * numTrainingSteps) : warmup;
    if (schedule === 'cosine') return optim.cosineWithWarmup(optimizer, { numWarmupSteps, numTrainingSteps });
    if (schedule === 'constant') return optim.constantWithWarmup(optimizer, { numWarmupSteps });
    return optim.linearWithWarmup(optimizer, { numWarmupSteps, numTrainingSteps });
  };
}

/** The loss with weights of the classes; without --balance the model computes its own. */
function balancedStep(train: TokenizedTexts, classes: number) {
  const weight = classWeights(train.labels, classes);
  return (model: PreTrainedModel, { labels, ...inputs }: Batch): StepResult => {
    const { logits } = model.forward(...([inputs] as never[])) as { logits: Tensor };
    return { loss: crossEntropy(logits, labels as Tensor, { weight }), output: logits, target: labels as Tensor };
  };
}

/** Texts per batch of evaluation: nothing is kept for gradients. */
export const judgingBatch = 32;

/** Trains, keeps and judges. @throws Interrupted on Ctrl-C, after the checkpoint. */
export async function runTextTraining(run: TextRun, terminal: Terminal) {
  const { folder, record, model, train, val, resume } = run;
  const { options, classes } = record;
  const { batchSize, seed, accumulate, patience } = options;
  const steps = stepLosses();
  const trainer = new Trainer(model, {
    ...(options.balance ? { step: balancedStep(train, classes.length) } : {}),
    optimizer: optimizerOf(options)(decayGroups(model, options.weightDecay)),
    schedule: scheduleOf(options),
    metrics: [accuracy()],
    callbacks: [steps.callback, ...(patience > 0 && val ? [earlyStopping({ patience })] : [])],
    accumulate,
    ...(options.clip === null ? {} : { clipNorm: options.clip }),
    seed,
    out: folder,
    checkpoint: { every: 500, keep: 1 },
    progress: terminal.quiet ? false : { stream: terminal.stream },
  });
  await writeRun(folder, record);
  const start = performance.now();
  let fit: FitResult;
  try {
    fit = await trainer.fit(textLoader(train, { batchSize, shuffle: true, seed }), {
      epochs: options.epochs,
      resume,
      onInterrupt: 'throw',
      ...(val ? { validation: textLoader(val, { batchSize: judgingBatch }) } : {}),
    });
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    await writeRun(folder, { ...record, status: 'interrupted' });
    throw interruptedRun(folder, error);
  }
  const seconds = (performance.now() - start) / 1000;
  return { ...(await finish(run, fit, steps.losses, terminal)), fit, seconds };
}

/** Writes the model's folder and judges the model. */
async function finish(run: TextRun, fit: FitResult, steps: StepLosses['losses'], terminal: Terminal) {
  const { folder, record, model, tokenizer } = run;
  const { classes } = record;
  await saveForInference(model, tokenizer, folder);
  const [part, data] = run.test
    ? (['test', run.test] as const)
    : run.val
      ? (['validation', run.val] as const)
      : (['training', run.train] as const);
  const score = await judge(new TextClassifier(model, tokenizer), data, classes, terminal);
  const perClass = score.matrix && classScores(score.matrix);
  const finished: TextRecord = {
    ...record,
    status: 'finished',
    epochs: fit.history.length,
    bestEpoch: fit.bestEpoch ?? null,
    results: {
      [part]: score.metrics,
      perClass: Object.fromEntries(
        (perClass ?? []).map(({ label, precision, recall, f1, support }) => [
          label,
          { precision, recall, f1, support },
        ]),
      ),
      confusion: score.matrix?.counts ?? null,
      ...(fit.stopped ? { stopped: fit.stopped } : {}),
    },
  };
  await keepMetrics(folder, part, fit.history.length, score);
  await writeRun(folder, finished);
  const pictures = await drawReport(folder, {
    title: `${record.task}: ${record.data.path}`,
    part,
    history: fit.history,
    steps,
    data,
    score,
    classes,
  });
  const files = [
    'model.safetensors',
    'config.json',
    'tokenizer.json',
    'model.onnx (also as onnx/model.onnx)',
    'run.json',
    'metrics.jsonl',
    ...pictures,
  ];
  return { record: finished, part, data, score, files };
}

/** The judgement goes into metrics.jsonl, too, behind the epochs. */
async function keepMetrics(folder: string, part: string, epoch: number, { metrics }: Score): Promise<void> {
  const path = join(folder, 'metrics.jsonl');
  const step = (await readMetrics(path)).reduce((most, record) => Math.max(most, record.step), 0);
  await using writer = await MetricsWriter.open(path, { resumeAt: step, drop: ({ phase }) => phase === part });
  writer.write({ step, epoch, phase: part, ...metrics });
}

/** Scores of a classifier on labelled texts: accuracy, precision, recall and F1 (means over the classes), and more. */
export async function judge(
  classifier: TextClassifier,
  data: TokenizedTexts,
  classes: readonly string[],
  terminal: Terminal,
): Promise<Score> {
  const start = performance.now();
  let [done, told] = [0, start];
  const { data: logits } = await classifier.logits(data, {
    batchSize: judgingBatch,
    onBatch(texts) {
      done += texts;
      const now = performance.now();
      if (now - told < 60_000) return;
      told = now;
      const rate = (done / (now - start)) * 1000;
      terminal.say(`  judged ${count(done, 'text')} of ${data.length.toLocaleString('en-US')} (${rate.toFixed(0)}/s)`);
    },
  });
  const outputs = { data: Float32Array.from(logits), samples: data.length, width: classes.length };
  const judged = judgeClasses(outputs, data.labels, classes);
  const scores = classScores(judged.matrix).filter(({ support, predicted }) => support + predicted > 0);
  const mean = (key: 'precision' | 'recall') => scores.reduce((sum, c) => sum + c[key], 0) / scores.length;
  const { accuracy: share, ...others }: Readonly<Record<string, number>> = judged.metrics;
  const metrics = {
    accuracy: share,
    precision_macro: mean('precision'),
    recall_macro: mean('recall'),
    ...others,
  };
  return { ...judged, metrics, outputs };
}
