/** @file One training run: data, model, Trainer, and what is kept of it. */
import { join } from 'node:path';
import { DataLoader, type DatasetLike } from '../data/index.ts';
import { exportOnnx, saveModel } from '../hub/index.ts';
import { GradusError } from '../ir/errors.ts';
import { crossEntropy, mseLoss } from '../nn/functional/index.ts';
import type { Module } from '../nn/index.ts';
import * as optim from '../optim/index.ts';
import { Tensor, tensor } from '../tensor/index.ts';
import {
  accuracy,
  type Batch,
  earlyStopping,
  type FitResult,
  InterruptedError,
  rmse,
  type StepResult,
  Trainer,
} from '../train/index.ts';
import { PixelData } from './data/images.ts';
import type { LabelledData, Prepared, Sample } from './data/prepared.ts';
import { countClasses } from './data/split.ts';
import { drawReport, type StepLosses, stepLosses } from './picture.ts';
import { oneOf, UsageError } from './problem.ts';
import { type RunRecord, type TrainOptions, writeRun } from './run-folder.ts';
import { type Score, score } from './score.ts';
import type { Terminal } from './terminal.ts';

export const optimizers = ['adamw', 'adam', 'nadam', 'radam', 'sgd', 'rmsprop', 'adagrad', 'lion', 'lamb'] as const;
export const schedules = ['onecycle', 'cosine', 'constant'] as const;

type Group = { readonly params: Iterable<Tensor>; readonly weightDecay: number };
type Factory = (params: Iterable<Tensor> | Iterable<Group>) => optim.Optimizer;
type Hyper = { readonly lr: number; readonly weightDecay: number };

const factories: Record<(typeof optimizers)[number], (hyper: Hyper) => Factory> = {
  adamw: (hyper) => optim.adamw(hyper),
  adam: (hyper) => optim.adam(hyper),
  nadam: (hyper) => optim.nadam(hyper),
  radam: (hyper) => optim.radam(hyper),
  sgd: (hyper) => optim.sgd({ ...hyper, momentum: 0.9, nesterov: true }),
  rmsprop: (hyper) => optim.rmsprop(hyper),
  adagrad: (hyper) => optim.adagrad(hyper),
  lion: (hyper) => optim.lion(hyper),
  lamb: (hyper) => optim.lamb(hyper),
};

/** The optimiser of that name; it waits for its parameters. */
export function optimizerOf({ optimizer, lr, weightDecay }: Hyper & { readonly optimizer: string }): Factory {
  return factories[oneOf('optimizer', optimizer, optimizers)]({ lr, weightDecay });
}

function scheduleOf({ schedule, lr }: TrainOptions) {
  return (optimizer: optim.Optimizer, total: number | undefined): optim.Scheduler => {
    const totalSteps = total ?? 1;
    if (schedule === 'onecycle')
      return optim.oneCycleLR(optimizer, { maxLr: lr, totalSteps: totalSteps + 1, cycleMomentum: false });
    if (schedule === 'cosine')
      return optim.cosineWithWarmup(optimizer, {
        numWarmupSteps: Math.round(totalSteps / 20),
        numTrainingSteps: totalSteps,
      });
    return optim.constantLR(optimizer, { factor: 1 });
  };
}

/** Weight of each class in the loss, so that all classes together count the same. */
export function classWeights(labels: ArrayLike<number>, classes: number): Tensor {
  const counts = countClasses(labels, classes);
  const there = counts.filter((n) => n > 0).length;
  return tensor(counts.map((n) => (n === 0 ? 0 : labels.length / (there * n))));
}

/** The step: cross entropy of classes; for numbers the squared error of standardised targets, answers in their own units. */
function stepOf({ task, preprocess, train, classes }: Prepared, { balance }: TrainOptions) {
  const weight = balance && task !== 'tabular-regression' ? classWeights(train.labels, classes.length) : undefined;
  const scale = preprocess.kind === 'table' ? preprocess.scale : null;
  return (model: Module, { x, y }: Batch): StepResult => {
    if (!(x instanceof Tensor) || !(y instanceof Tensor)) throw new GradusError('a batch must hold tensors x and y');
    const output = model.forward(...([x] as never[])) as Tensor;
    if (!scale) return { loss: crossEntropy(output, y, weight ? { weight } : {}), output, target: y };
    const flat = output.ndim === 2 ? output.squeeze(1) : output;
    const loss = mseLoss(flat, y.sub(scale.mean).div(scale.std));
    return { loss, output: flat.mul(scale.std).add(scale.mean), target: y };
  };
}

/** What training needs. */
export interface TrainingRun {
  readonly folder: string;
  readonly record: RunRecord;
  readonly prepared: Prepared;
  readonly model: Module;
  readonly resume: boolean;
}

/** What it gives. */
export interface TrainingResult {
  readonly fit: FitResult;
  readonly record: RunRecord;
  /** The part that was judged, and how good the answers are. */
  readonly part: 'test' | 'validation' | 'training';
  readonly score: Score;
  readonly files: readonly string[];
  /** Why there is no model.onnx, if there is none. */
  readonly onnxProblem: string | undefined;
}

/** Samples per batch of evaluation: more than in training, as nothing is kept for gradients. */
export const evaluationBatch = (batchSize: number): number => Math.max(batchSize, 256);

async function trainingData(prepared: Prepared, { augment, workers }: TrainOptions): Promise<DatasetLike<Sample>> {
  const { train } = prepared;
  if (!(train instanceof PixelData)) {
    if (workers > 0) throw new UsageError('--workers are for image files; a table is in memory already');
    return train;
  }
  return workers > 0 ? await train.byWorkers(augment) : train.withAugmentation(augment);
}

/**
 * Trains and keeps everything in the folder.
 * @throws InterruptedError on Ctrl-C, after the checkpoint; run.json then says so.
 */
export async function runTraining(run: TrainingRun, terminal: Terminal): Promise<TrainingResult> {
  const { folder, record, prepared, model } = run;
  const { options } = record;
  const { batchSize, seed, workers } = options;
  const regression = prepared.task === 'tabular-regression';
  const dtypes = { y: regression ? 'float32' : 'int64' } as const;
  const steps = stepLosses();
  const trainer = new Trainer(model, {
    step: stepOf(prepared, options),
    optimizer: optimizerOf(options),
    schedule: scheduleOf(options),
    metrics: [regression ? rmse() : accuracy()],
    callbacks: [
      steps.callback,
      ...(options.patience > 0 && prepared.val ? [earlyStopping({ patience: options.patience })] : []),
    ],
    ...(options.clip === null ? {} : { clipNorm: options.clip }),
    seed,
    out: folder,
    progress: terminal.quiet ? false : { stream: terminal.stream },
  });
  const train = new DataLoader(await trainingData(prepared, options), {
    batchSize,
    shuffle: true,
    seed,
    workers,
    dtypes,
    // Batch normalisation has no variance of a single sample.
    dropLast: prepared.train.length % batchSize === 1 && prepared.train.length > batchSize,
  });
  const validation = prepared.val && new DataLoader(prepared.val, { batchSize: evaluationBatch(batchSize), dtypes });
  await writeRun(folder, record);
  let fit: FitResult;
  try {
    fit = await trainer.fit(train, {
      epochs: options.epochs,
      resume: run.resume,
      onInterrupt: 'throw',
      ...(validation ? { validation } : {}),
    });
  } catch (error) {
    if (error instanceof InterruptedError) await writeRun(folder, { ...record, status: 'interrupted' });
    throw error;
  } finally {
    await train.close();
  }
  return await finish(run, fit, steps.losses);
}

/** Judges the model, and keeps it. */
async function finish(
  { folder, record, prepared, model }: TrainingRun,
  fit: FitResult,
  steps: StepLosses['losses'],
): Promise<TrainingResult> {
  const { options } = record;
  const [part, data]: ['test' | 'validation' | 'training', LabelledData] = prepared.test
    ? ['test', prepared.test]
    : prepared.val
      ? ['validation', prepared.val]
      : ['training', prepared.train];
  const scale = prepared.preprocess.kind === 'table' ? prepared.preprocess.scale : null;
  const result = await score(model, data, { ...prepared, scale, batchSize: evaluationBatch(options.batchSize) });
  const finished: RunRecord = {
    ...record,
    status: 'finished',
    epochs: fit.history.length,
    bestEpoch: fit.bestEpoch ?? null,
    results: { [part]: result.metrics, ...(fit.stopped ? { stopped: fit.stopped } : {}) },
  };
  await saveModel(model, folder);
  const onnxProblem = await keepOnnx(model, folder, finished);
  await writeRun(folder, finished);
  const pictures = await drawReport(folder, {
    title: `${prepared.task}: ${record.data.path}`,
    part,
    history: fit.history,
    steps,
    data,
    score: result,
    classes: prepared.classes,
  });
  const files = [
    'model.safetensors',
    ...(onnxProblem === undefined ? ['model.onnx'] : []),
    'run.json',
    'metrics.jsonl',
    ...pictures,
  ];
  return { fit, record: finished, part, score: result, files, onnxProblem };
}

/** Writes model.onnx; a model of the user's own may not be exportable, which must not lose the run. */
async function keepOnnx(model: Module, folder: string, record: RunRecord): Promise<string | undefined> {
  const { preprocess } = record;
  const shape =
    preprocess.kind === 'image' ? [preprocess.channels, preprocess.height, preprocess.width] : [featuresOf(record)];
  try {
    await exportOnnx(model, join(folder, 'model.onnx'), {
      inputs: [[2, ...shape]],
      input: ['batch'],
      inputNames: ['input'],
      outputNames: [record.task === 'tabular-regression' ? 'standardized' : 'logits'],
      metadata: { task: record.task, preprocess: JSON.stringify(preprocess) },
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof GradusError)) throw error;
    return error.message;
  }
}

const featuresOf = ({ data }: RunRecord): number => Number(data.features);
