/** @file What Trainer and fit refuse before they begin. */
import { ArgumentError } from '../ir/errors.ts';
import { checkWhole, refuseUnknown } from '../ir/options.ts';
import { Module } from '../nn/module.ts';
import { Optimizer } from '../optim/index.ts';
import type { FitOptions, TrainerOptions } from './trainer.ts';

type Options = Omit<TrainerOptions<Module>, 'step'> & { readonly step?: unknown };

const trainerOptions = [
  'loss',
  'step',
  'optimizer',
  'schedule',
  'metrics',
  'callbacks',
  'accumulate',
  'clipNorm',
  'clipValue',
  'ema',
  'seed',
  'out',
  'checkpoint',
  'progress',
];
const fitOptions = ['epochs', 'validation', 'resume', 'restoreBest', 'onInterrupt', 'monitor', 'mode'];

function checkPositive(name: string, value: number | undefined): void {
  if (value !== undefined && !(value > 0))
    throw new ArgumentError(`Trainer: ${name} must be more than 0, found ${value}; leave it out for no clipping`);
}

function checkFunctions(options: Options): void {
  const { loss, step, optimizer, schedule } = options;
  if (loss !== undefined && step !== undefined)
    throw new ArgumentError('Trainer: give either `loss` (for { x, y } batches) or `step`, not both');
  for (const [name, value] of Object.entries({ loss, step, schedule }))
    if (value !== undefined && typeof value !== 'function')
      throw new ArgumentError(`Trainer: ${name} must be a function, found ${typeof value}`);
  if (!(optimizer instanceof Optimizer) && typeof optimizer !== 'function')
    throw new ArgumentError(
      `Trainer: optimizer must be an optimiser or a factory such as optim.adamw({ lr: 1e-3 }), found ${typeof optimizer}`,
    );
}

function checkLists({ metrics = [], callbacks = [] }: Options): void {
  if (!Array.isArray(metrics) || metrics.some((metric) => typeof metric?.update !== 'function'))
    throw new ArgumentError('Trainer: metrics must be a list of metrics, such as [accuracy()]');
  if (!Array.isArray(callbacks) || callbacks.some((callback) => typeof callback?.name !== 'string'))
    throw new ArgumentError('Trainer: callbacks must be a list of callbacks, such as [earlyStopping()]');
}

/** @throws ArgumentError naming the option that cannot be. */
export function checkTrainer(model: unknown, options: Options | undefined): void {
  if (!(model instanceof Module)) throw new ArgumentError('Trainer: the first argument must be a model, an nn.Module');
  if (typeof options !== 'object' || options === null)
    throw new ArgumentError('Trainer: options are missing: new Trainer(model, { loss, optimizer })');
  refuseUnknown('Trainer', options, trainerOptions);
  checkFunctions(options);
  checkLists(options);
  checkWhole('Trainer: accumulate', options.accumulate, 1);
  checkWhole('Trainer: seed', options.seed, Number.MIN_SAFE_INTEGER);
  checkPositive('clipNorm', options.clipNorm);
  checkPositive('clipValue', options.clipValue);
  const { out, checkpoint = {} } = options;
  if (out !== undefined && (typeof out !== 'string' || out === ''))
    throw new ArgumentError(`Trainer: out must be the path of a folder, found ${JSON.stringify(out)}`);
  refuseUnknown('Trainer: checkpoint', checkpoint, ['every', 'keep']);
  checkWhole('Trainer: checkpoint.every', checkpoint.every, 1);
  checkWhole('Trainer: checkpoint.keep', checkpoint.keep, 1);
}

/** @throws ArgumentError naming the option that cannot be. */
export function checkFit(options: FitOptions | undefined): void {
  if (typeof options !== 'object' || options === null)
    throw new ArgumentError('fit: options are missing: fit(loader, { epochs: 10 })');
  refuseUnknown('fit', options, fitOptions);
  const { epochs, mode, onInterrupt } = options;
  if (!Number.isSafeInteger(epochs) || epochs < 1)
    throw new ArgumentError(`fit: epochs must be a whole number of at least 1, found ${epochs}`);
  if (mode !== undefined && mode !== 'min' && mode !== 'max')
    throw new ArgumentError(`fit: mode must be 'min' or 'max', found '${mode}'`);
  if (onInterrupt !== undefined && onInterrupt !== 'exit' && onInterrupt !== 'throw')
    throw new ArgumentError(`fit: onInterrupt must be 'exit' or 'throw', found '${onInterrupt}'`);
}
