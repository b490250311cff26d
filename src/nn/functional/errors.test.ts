/** @file What the functional API says when arguments do not fit. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, DTypeError, ShapeError } from '../../ir/errors.ts';
import { ones, tensor, zeros } from '../../tensor/index.ts';
import * as F from './index.ts';

type ErrorClass = new (message?: string) => Error;
const image = ones([2, 3, 8, 8]);
const logits = ones([4, 3]);
const classes = tensor([0, 1, 2, 1], { dtype: 'int64' });

const rows: [string, () => unknown, ErrorClass, RegExp][] = [
  [
    'conv2d of a vector',
    () => F.conv2d(ones([3]), ones([1, 3, 2, 2])),
    ShapeError,
    /conv2d: expected an input of shape .* found \[3\]/,
  ],
  [
    'conv2d with a weight of another rank',
    () => F.conv2d(image, ones([1, 3, 2])),
    ShapeError,
    /conv2d: the weight must have 4 dimensions .* found \[1, 3, 2\]/,
  ],
  ['conv2d with other channels', () => F.conv2d(image, ones([1, 4, 2, 2])), ShapeError, /3 channels.*take 4/],
  [
    'conv2d same with a stride',
    () => F.conv2d(image, ones([1, 3, 3, 3]), null, { padding: 'same', stride: 2 }),
    ArgumentError,
    /padding 'same' needs a stride of 1, found 2/,
  ],
  [
    'conv2d with three strides',
    () => F.conv2d(image, ones([1, 3, 3, 3]), null, { stride: [1, 1, 1] }),
    ArgumentError,
    /conv2d: stride must be a whole number of at least 1, or 2 of them, found \[1,1,1\]/,
  ],
  [
    'maxPool2d with much padding',
    () => F.maxPool2d(image, 2, { padding: 2 }),
    ArgumentError,
    /padding 2 must be at most half of kernelSize 2/,
  ],
  [
    'avgPool2d by 0',
    () => F.avgPool2d(image, 2, { divisorOverride: 0 }),
    ArgumentError,
    /divisorOverride must not be 0/,
  ],
  [
    'adaptiveAvgPool2d to 0',
    () => F.adaptiveAvgPool2d(image, 0),
    ArgumentError,
    /outputSize must be a whole number of at least 1/,
  ],
  [
    'layerNorm over other dimensions',
    () => F.layerNorm(ones([2, 4]), [3]),
    ShapeError,
    /last dimensions of the input \[2, 4\] must be normalizedShape \[3\]/,
  ],
  [
    'layerNorm with a short weight',
    () => F.layerNorm(ones([2, 4]), [4], ones([3])),
    ShapeError,
    /weight and bias must have shape \[4\], found \[3\]/,
  ],
  ['groupNorm that does not divide', () => F.groupNorm(image, 2), ShapeError, /must be divisible by numGroups, 2/],
  [
    'batchNorm of one value',
    () => F.batchNorm(ones([1, 3]), null, null, null, null, { training: true }),
    ShapeError,
    /more than 1 value per channel when training, found shape \[1, 3\]/,
  ],
  ['batchNorm without statistics', () => F.batchNorm(image, null, null), ArgumentError, /training: true/],
  [
    'batchNorm with other channels',
    () => F.batchNorm(image, ones([2]), ones([2])),
    ShapeError,
    /one element per channel .* found \[2\]/,
  ],
  ['instanceNorm of vectors', () => F.instanceNorm(ones([2, 3])), ShapeError, /more than 1 spatial element/],
  [
    'embedding beyond the table',
    () => F.embedding([0, 1], ones([4, 2]), { paddingIdx: 4 }),
    ArgumentError,
    /paddingIdx 4 is out of range for 4 rows/,
  ],
  ['embeddingBag without offsets', () => F.embeddingBag([0, 1], ones([4, 2])), ArgumentError, /needs offsets/],
  [
    'embeddingBag with falling offsets',
    () => F.embeddingBag([0, 1], ones([4, 2]), { offsets: [0, 2, 1] }),
    ArgumentError,
    /must start at 0, rise/,
  ],
  [
    'attention with other features',
    () => F.scaledDotProductAttention(ones([2, 4]), ones([3, 5]), ones([3, 5])),
    ShapeError,
    /query \[2, 4\], key \[3, 5\] and value \[3, 5\]/,
  ],
  [
    'attention with two masks',
    () =>
      F.scaledDotProductAttention(ones([2, 4]), ones([2, 4]), ones([2, 4]), { attnMask: ones([2, 2]), isCausal: true }),
    ArgumentError,
    /not both/,
  ],
  [
    'pixelShuffle that does not divide',
    () => F.pixelShuffle(image, 2),
    ShapeError,
    /3 of the input \[2, 3, 8, 8\] is not divisible by 4/,
  ],
  [
    'fold of another number of windows',
    () => F.fold(ones([1, 8, 5]), [3, 3], 2),
    ShapeError,
    /must be \[batch, channels \* 4, 4\]/,
  ],
  ['unfold of a small image', () => F.unfold(ones([1, 1, 2, 2]), 3), ShapeError, /smaller than the window/],
  ['glu of an odd size', () => F.glu(ones([3])), ShapeError, /must have an even size/],
  ['prelu with other channels', () => F.prelu(image, ones([2])), ShapeError, /1 element or one per channel/],
  [
    'gelu approximated otherwise',
    () => F.gelu(image, { approximate: 'erf' as 'tanh' }),
    ArgumentError,
    /approximate must be one of none, tanh, found 'erf'/,
  ],
  [
    'mseLoss that would broadcast',
    () => F.mseLoss(ones([4, 1]), ones([4])),
    ShapeError,
    /mseLoss: input \[4, 1\] and target \[4\] must have the same shape/,
  ],
  [
    'a reduction of another name',
    () => F.mseLoss(ones([1]), ones([1]), { reduction: 'avg' as 'mean' }),
    ArgumentError,
    /reduction must be one of mean, sum, none, found 'avg'/,
  ],
  [
    'crossEntropy with too many targets',
    () => F.crossEntropy(logits, zeros([5], { dtype: 'int64' })),
    ShapeError,
    /class indices of shape \[5\] do not fit the input \[4, 3\]; expected \[4\]/,
  ],
  [
    'crossEntropy with float indices',
    () => F.crossEntropy(logits, ones([4])),
    ShapeError,
    /class indices must be integers \(\.long\(\)\)/,
  ],
  ['crossEntropy with boolean targets', () => F.crossEntropy(logits, classes.gt(0)), DTypeError, /found bool/],
  [
    'crossEntropy with a label that is no class',
    () => F.crossEntropy(logits, tensor([0, 3, 1, 1], { dtype: 'int64' })),
    ArgumentError,
    /crossEntropy: class index 3 at position 1 is out of range; expected 0 to 2, or -100 to be ignored/,
  ],
  [
    'crossEntropy with a negative label',
    () => F.crossEntropy(logits, tensor([0, -1, 1, 1], { dtype: 'int64' })),
    ArgumentError,
    /class index -1 at position 1/,
  ],
  [
    'embedding of an unknown index',
    () => F.embedding([0, 4], ones([4, 2])),
    ArgumentError,
    /embedding: index 4 at position 1 is out of range; expected 0 to 3/,
  ],
  [
    'crossEntropy with a weight per sample',
    () => F.crossEntropy(logits, classes, { weight: ones([4]) }),
    ShapeError,
    /one element per class, \[3\], found \[4\]/,
  ],
  [
    'crossEntropy with much smoothing',
    () => F.crossEntropy(logits, classes, { labelSmoothing: 2 }),
    ArgumentError,
    /labelSmoothing must be in \[0, 1\], found 2/,
  ],
  [
    'nllLoss of probabilities',
    () => F.nllLoss(logits, logits),
    DTypeError,
    /nllLoss: targets are class indices, found float32/,
  ],
  [
    'binaryCrossEntropy of other shapes',
    () => F.binaryCrossEntropy(ones([2]), ones([2, 1])),
    ShapeError,
    /\[2\] and target \[2, 1\]/,
  ],
  [
    'huberLoss with delta 0',
    () => F.huberLoss(ones([1]), ones([1]), { delta: 0 }),
    ArgumentError,
    /delta must be positive, found 0/,
  ],
  [
    'ctcLoss of another rank',
    () => F.ctcLoss(ones([4]), ones([1]), [4], [1]),
    ShapeError,
    /ctcLoss: expected log-probabilities \[time, batch, classes\]/,
  ],
  [
    'ctcLoss with too long an input',
    () => F.ctcLoss(ones([4, 1, 3]), ones([1, 2]), [5], [2]),
    ArgumentError,
    /inputLengths must be whole numbers from 0 to 4, found 5/,
  ],
  [
    'ctcLoss with too few lengths',
    () => F.ctcLoss(ones([4, 2, 3]), ones([2, 2]), [4], [2, 2]),
    ShapeError,
    /inputLengths must have 2 entries, one per sample, found 1/,
  ],
  [
    'ctcLoss with a blank that is no class',
    () => F.ctcLoss(ones([4, 1, 3]), ones([1, 2]), [4], [2], { blank: 3 }),
    ArgumentError,
    /blank 3 is not one of the 3 classes/,
  ],
  [
    'ctcLoss with another batch',
    () => F.ctcLoss(ones([4, 2, 3]), ones([1, 2]), [4, 4], [2, 2]),
    ShapeError,
    /1 targets for a batch of 2/,
  ],
];

describe('errors', () => {
  it.each(rows)('%s', (_, call, kind, message) => {
    expect(call).toThrow(kind);
    expect(call).toThrow(message);
  });
});

describe('ctcLoss', () => {
  const x = tensor(
    Array.from({ length: 2 * 6 * 4 }, (_, i) => Math.sin(i)),
    { shape: [6, 2, 4] },
  ).logSoftmax(2);
  const targets = tensor(
    [
      [1, 2, 2],
      [3, 1, 0],
    ],
    { dtype: 'int64' },
  );

  it('takes lengths as numbers, targets joined, and one sample without a batch axis', async () => {
    const padded = await F.ctcLoss(x, targets, [6, 5], [3, 2], { reduction: 'none' }).array();
    const joined = tensor([1, 2, 2, 3, 1], { dtype: 'int64' });
    expect(await F.ctcLoss(x, joined, [6, 5], [3, 2], { reduction: 'none' }).array()).toEqual(padded);
    const one = F.ctcLoss(x.at(null, 1), targets.at(1, [0, 2]), [5], [2], { reduction: 'none' });
    expect(one.shape).toEqual([]);
    expect(await one.item()).toBeCloseTo((padded as number[])[1], 5);
  });

  it('is the sum over all alignments', async () => {
    // Two steps, target [1]: the paths 1 1, 1 -, - 1.
    const p = [
      [0.2, 0.8],
      [0.6, 0.4],
    ];
    const logs = tensor(p).log().unsqueeze(1);
    const expected = -Math.log(0.8 * 0.4 + 0.8 * 0.6 + 0.2 * 0.4);
    expect(await F.ctcLoss(logs, tensor([[1]]), [2], [1]).item()).toBeCloseTo(expected, 5);
  });
});
