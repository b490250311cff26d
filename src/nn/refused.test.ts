/** @file What layers and optimisers refuse: sizes, ranges and kinds of arguments that PyTorch refuses, too. */
import { describe, expect, it } from 'vitest';
import * as g from '../index.ts';
import { ArgumentError, DTypeError, GradusError } from '../ir/errors.ts';

const { nn, optim } = g;

/** Passes a value of a type that TypeScript would not let through, as plain JavaScript can. */
const untyped = (value: unknown) => value as never;

const layers: [string, () => unknown, string][] = [
  ['Linear', () => new nn.Linear(Number.NaN, 2), 'Linear: inFeatures must be a whole number of at least 0, found NaN'],
  ['Linear', () => new nn.Linear(2, -1), 'Linear: outFeatures must be a whole number of at least 0, found -1'],
  ['Bilinear', () => new nn.Bilinear(0, 1, 1), 'Bilinear: in1Features must be a whole number of at least 1, found 0'],
  ['Embedding', () => new nn.Embedding(2.5, 2), 'Embedding: numEmbeddings must be a whole number of at least 0'],
  ['Conv2d', () => new nn.Conv2d(1, 1, 0), 'Conv2d: kernelSize must be a whole number of at least 1'],
  ['Conv2d', () => new nn.Conv2d(1, 1, 3, { stride: 0 }), 'Conv2d: stride must be a whole number of at least 1'],
  ['Conv1d', () => new nn.Conv1d(1, 1, 3, { dilation: 0 }), 'Conv1d: dilation must be a whole number of at least 1'],
  ['Conv2d', () => new nn.Conv2d(1, 1, 3, { padding: -1 }), 'Conv2d: padding must be a whole number of at least 0'],
  ['Conv2d', () => new nn.Conv2d(3, 3, 3, { groups: 1.5 }), 'Conv2d: groups must be a whole number of at least 1'],
  ['ConvTranspose2d', () => new nn.ConvTranspose2d(1, 1, 3, { stride: [1, 0] }), 'ConvTranspose2d: stride must be'],
  ['Sequential', () => new nn.Sequential(untyped(g.relu)), 'Sequential takes modules, found function'],
  ['ModuleList', () => new nn.ModuleList(untyped([3])), 'ModuleList takes modules, found number'],
  ['ModuleDict', () => new nn.ModuleDict(untyped({ a: null })), 'ModuleDict takes modules, found object'],
];

const lr = 0.1;
const weight = () => [g.zeros([2])];
const descent = () => optim.sgd(weight(), { lr });
const rates: [string, () => unknown, string][] = [
  ['rmsprop', () => optim.rmsprop(weight(), { alpha: 2 }), 'rmsprop: alpha must be in [0, 1], found 2'],
  ['sgd', () => optim.sgd(weight(), { dampening: Number.NaN }), 'sgd: dampening must be a finite number, found NaN'],
  ['sgd', () => optim.sgd(weight(), { lr: -1 }), 'sgd: lr must be 0 or more, found -1'],
  [
    'multiStepLR',
    () => optim.multiStepLR(descent(), untyped({ milestones: 'soon' })),
    'milestones must be a list of whole',
  ],
  [
    'multiStepLR',
    () => optim.multiStepLR(descent(), { milestones: [1.5] }),
    'milestones must be a list of whole numbers',
  ],
  ['constantLR', () => optim.constantLR(descent(), { factor: 2 }), 'constantLR: factor must be in [0, 1], found 2'],
  ['linearLR', () => optim.linearLR(descent(), { startFactor: 0 }), 'linearLR: startFactor must be above 0'],
  ['linearLR', () => optim.linearLR(descent(), { endFactor: 1.5 }), 'linearLR: endFactor must be in [0, 1], found 1.5'],
  [
    'stepLR',
    () => optim.stepLR(descent(), { stepSize: 1, gamma: Number.NaN }),
    'stepLR: gamma must be a finite number',
  ],
  [
    'cosine',
    () => optim.cosineAnnealingLR(descent(), { tMax: 3, etaMin: Number.NaN }),
    'etaMin must be a finite number',
  ],
  [
    'oneCycleLR',
    () => optim.oneCycleLR(descent(), { maxLr: 1, totalSteps: 9, divFactor: 0 }),
    'divFactor must be above 0',
  ],
  ['lambdaLR', () => optim.lambdaLR(descent(), untyped({ lrLambda: 0.5 })), 'lrLambda must be a function of the step'],
  [
    'plateau',
    () => optim.reduceLROnPlateau(descent(), untyped({ mode: 'low' })),
    "mode must be 'min' or 'max', found 'low'",
  ],
  ['plateau', () => optim.reduceLROnPlateau(descent(), untyped({ patients: 1 })), "unknown option 'patients'"],
];

const others: [string, () => unknown, string][] = [
  ['setDevice', () => g.setDevice('tpu'), "setDevice: no device is called 'tpu'; expected one of cpu, wasm, webgpu"],
  ['manualSeed', () => g.manualSeed(Number.NaN), 'manualSeed: expected a whole number, found NaN'],
  [
    'tensor',
    () => g.tensor([1.5], { dtype: 'int32' }),
    '1.5 cannot be held as int32 (whole numbers from -2147483648 to',
  ],
  ['tensor', () => g.tensor([300], { dtype: 'uint8' }), '300 cannot be held as uint8 (whole numbers from 0 to 255)'],
  ['tensor', () => g.tensor([[-1]], { dtype: 'uint8' }), '-1 cannot be held as uint8'],
  ['tensor', () => g.tensor(Int32Array.of(300), { dtype: 'uint8' }), '300 cannot be held as uint8'],
  ['tensor', () => g.tensor([Number.NaN], { dtype: 'int64' }), 'NaN cannot be held as int64'],
  ['full', () => g.full([2], 0.5, { dtype: 'int64' }), '0.5 cannot be held as int64'],
  ['full', () => g.full([2], untyped('a')), 'expected numbers, nested arrays of them or a typed array, found string'],
  ['fromData', () => g.fromData(Float64Array.of(0.5), [1], { dtype: 'int64' }), '0.5 cannot be held as int64'],
  ['arange', () => g.arange(0, 1, 0.5, { dtype: 'int32' }), '0.5 cannot be held as int32'],
  ['SequentialSampler', () => new g.SequentialSampler(-1), 'length must be a whole number of at least 0, found -1'],
];

describe('public names', () => {
  it('are those that users need', () => {
    expect(['cut', 'nextSeed', 'nextStream'].filter((name) => name in g)).toEqual([]);
    expect('checkCounts' in optim || 'matchesName' in nn).toBe(false);
  });
});

describe('refused', () => {
  it.each([...layers, ...rates, ...others])('%s: %#', (_, make, message) => {
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(message);
  });

  it('indices that are no integers', () => {
    const table = new nn.Embedding(3, 2);
    expect(() => table.forward(g.tensor([1]))).toThrow(DTypeError);
    expect(() => table.forward([1.5])).toThrow(ArgumentError);
  });

  it('states that are none', async () => {
    const optimizer = optim.sgd(weight(), { lr });
    await expect(new nn.Linear(1, 1).loadStateDict(untyped(null))).rejects.toThrow(
      'as stateDict() gives them, found null',
    );
    await expect(optimizer.loadStateDict(untyped(null))).rejects.toThrow(
      'sgd: expected a state as stateDict() gives it',
    );
    expect(() => optim.stepLR(optimizer, { stepSize: 1 }).loadStateDict(untyped(null))).toThrow(GradusError);
  });

  it('not what PyTorch accepts: empty layers, whole numbers as floats, any number as a boolean', async () => {
    expect(await new nn.Linear(0, 2, { bias: false }).forward(g.zeros([3, 0])).array()).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
    expect(await g.tensor(Float32Array.of(3), { dtype: 'int32' }).array()).toEqual([3]);
    expect(await g.tensor([2, 0, 0.5], { dtype: 'bool' }).to('int32').array()).toEqual([1, 0, 1]);
    expect(await g.linspace(0, 5, 3, { dtype: 'int64' }).array()).toEqual([0, 2, 5]);
  });
});
