import { describe, expect, it } from 'vitest';
import { checkLayer, type InputSpec, type LayerCheck } from '../../test/functional/check-layer.ts';
import type { Shape } from '../ir/shape.ts';
import * as nn from './index.ts';

type Row = [make: () => nn.Module, inputs: readonly InputSpec[], output: Shape, parameters?: number];

const vector: Shape = [3, 8];
const [line, plane, space]: Shape[] = [
  [2, 4, 6],
  [2, 4, 6, 6],
  [2, 4, 4, 4, 4],
];
const ids = { shape: [3, 5], below: 7 };

const rows: Row[] = [
  [() => new nn.Linear(8, 5), [vector], [3, 5], 45],
  [() => new nn.Linear(8, 5, { bias: false }), [vector], [3, 5], 40],
  [() => new nn.Bilinear(8, 8, 2), [vector, vector], [3, 2], 130],
  [() => new nn.Conv1d(4, 5, 3), [line], [2, 5, 4], 65],
  [() => new nn.Conv2d(4, 6, [3, 1], { stride: 2, padding: [1, 0], groups: 2 }), [plane], [2, 6, 3, 3], 42],
  [() => new nn.Conv2d(4, 4, 3, { padding: 'same', dilation: 2, paddingMode: 'replicate' }), [plane], plane, 148],
  [() => new nn.Conv3d(4, 2, 2), [space], [2, 2, 3, 3, 3], 66],
  [() => new nn.ConvTranspose1d(4, 2, 3, { stride: 2 }), [line], [2, 2, 13], 26],
  [() => new nn.ConvTranspose2d(4, 2, 3, { stride: 2, outputPadding: 1 }), [plane], [2, 2, 14, 14], 74],
  [() => new nn.ConvTranspose3d(4, 2, 2, { bias: false }), [space], [2, 2, 5, 5, 5], 64],
  [() => new nn.MaxPool1d(2), [line], [2, 4, 3]],
  [() => new nn.MaxPool2d(3, { stride: 2, padding: 1 }), [plane], [2, 4, 3, 3]],
  [() => new nn.MaxPool3d(2), [space], [2, 4, 2, 2, 2]],
  [() => new nn.AvgPool1d(2), [line], [2, 4, 3]],
  [() => new nn.AvgPool2d([2, 3]), [plane], [2, 4, 3, 2]],
  [() => new nn.AvgPool3d(2), [space], [2, 4, 2, 2, 2]],
  [() => new nn.LPPool1d(2, 2), [line], [2, 4, 3]],
  [() => new nn.LPPool2d(2, 2), [plane], [2, 4, 3, 3]],
  [() => new nn.AdaptiveAvgPool1d(4), [line], [2, 4, 4]],
  [() => new nn.AdaptiveAvgPool2d([1, null]), [plane], [2, 4, 1, 6]],
  [() => new nn.AdaptiveAvgPool3d(1), [space], [2, 4, 1, 1, 1]],
  [() => new nn.AdaptiveMaxPool1d(3), [line], [2, 4, 3]],
  [() => new nn.AdaptiveMaxPool2d(2), [plane], [2, 4, 2, 2]],
  [() => new nn.AdaptiveMaxPool3d(2), [space], [2, 4, 2, 2, 2]],
  [() => new nn.BatchNorm1d(8), [vector], vector, 16],
  [() => new nn.BatchNorm2d(4, { momentum: null }), [plane], plane, 8],
  [() => new nn.BatchNorm3d(4, { affine: false, trackRunningStats: false }), [space], space],
  [() => new nn.InstanceNorm1d(4), [line], line],
  [() => new nn.InstanceNorm2d(4, { affine: true, trackRunningStats: true }), [plane], plane, 8],
  [() => new nn.InstanceNorm3d(4), [space], space],
  [() => new nn.LayerNorm(8), [vector], vector, 16],
  [() => new nn.RMSNorm(8), [vector], vector, 8],
  [() => new nn.GroupNorm(2, 4), [plane], plane, 8],
  [() => new nn.Embedding(7, 4, { paddingIdx: -1 }), [ids], [3, 5, 4], 28],
  [() => new nn.EmbeddingBag(7, 4), [ids], [3, 4], 28],
  [() => new nn.Flatten(), [line], [2, 24]],
  [() => new nn.Unflatten(1, [2, 4]), [vector], [3, 2, 4]],
  [() => new nn.PixelShuffle(2), [plane], [2, 1, 12, 12]],
  [() => new nn.PixelUnshuffle(2), [plane], [2, 16, 3, 3]],
  [() => new nn.Upsample({ scaleFactor: 2 }), [plane], [2, 4, 12, 12]],
  [() => new nn.ZeroPad1d([1, 0]), [line], [2, 4, 7]],
  [() => new nn.ReflectionPad2d([1, 2, 0, 1]), [plane], [2, 4, 7, 9]],
  [() => new nn.ReplicationPad3d(1), [space], [2, 4, 6, 6, 6]],
  [() => new nn.CircularPad2d(2), [plane], [2, 4, 10, 10]],
  [() => new nn.ConstantPad2d([-1, 1, 0, 0], 0.5), [plane], plane],
  [() => new nn.ChannelShuffle(2), [plane], plane],
  [() => new nn.Unfold(3), [plane], [2, 36, 16]],
  [() => new nn.Fold(6, 2, { stride: 2 }), [[2, 8, 9]], [2, 2, 6, 6]],
  [() => new nn.LocalResponseNorm(2), [plane], plane],
  [() => new nn.CosineSimilarity(), [vector, vector], [3]],
  [() => new nn.PairwiseDistance({ p: 1 }), [vector, vector], [3]],
  [() => new nn.RNN(8, 5), [[4, 3, 8]], [4, 3, 5], 75],
  [() => new nn.LSTM(8, 5, { numLayers: 2, bidirectional: true }), [[4, 3, 8]], [4, 3, 10], 1280],
  [() => new nn.GRU(8, 5, { batchFirst: true, bias: false }), [[4, 3, 8]], [4, 3, 5], 195],
  [() => new nn.RNNCell(8, 5, { nonlinearity: 'relu' }), [vector], [3, 5], 75],
  [() => new nn.LSTMCell(8, 5), [vector], [3, 5], 300],
  [() => new nn.GRUCell(8, 5), [vector], [3, 5], 225],
  [
    () => new nn.MultiheadAttention(8, 2, { kdim: 6, vdim: 6 }),
    [
      [4, 3, 8],
      [5, 3, 6],
      [5, 3, 6],
    ],
    [4, 3, 8],
    256,
  ],
  [() => new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 16 }), [[4, 3, 8]], [4, 3, 8], 600],
  [
    () => new nn.TransformerDecoderLayer(8, 2, { dimFeedforward: 16 }),
    [
      [4, 3, 8],
      [5, 3, 8],
    ],
    [4, 3, 8],
    904,
  ],
  [
    () => new nn.Transformer({ dModel: 8, nhead: 2, dimFeedforward: 16, numEncoderLayers: 2, numDecoderLayers: 1 }),
    [
      [5, 3, 8],
      [4, 3, 8],
    ],
    [4, 3, 8],
    2 * 600 + 904 + 32,
  ],
  [() => new nn.PositionalEncoding(8, { maxLen: 10 }), [[4, 3, 8]], [4, 3, 8]],
  [() => new nn.PReLU({ numParameters: 4 }), [plane], plane, 4],
  [() => new nn.GLU(), [vector], [3, 4]],
  [() => new nn.Sequential(new nn.Linear(8, 6), new nn.ReLU(), new nn.Linear(6, 2)), [vector], [3, 2], 68],
];

describe('every layer', () => {
  const checks = rows.map(([make, inputs, output, parameters]): [string, LayerCheck] => [
    String(make()).replace(/\n[\s\S]*/, '...)'),
    { make, inputs, output, parameters },
  ]);
  it.each(checks)('%s', async (_, check) => await checkLayer(check));

  it('says what is wrong with its options', () => {
    expect(() => new nn.Conv2d(3, 4, 3, { groups: 2 })).toThrow('divisible by groups (2), found 3 and 4');
    expect(() => new nn.GroupNorm(3, 4)).toThrow('4 channels cannot be divided into 3 groups');
    expect(() => new nn.MultiheadAttention(8, 3)).toThrow('8 features cannot be divided among 3 heads');
    expect(() => new nn.Dropout(1.5)).toThrow('Dropout: p must be in [0, 1], found 1.5');
    expect(() => new nn.Embedding(3, 4, { paddingIdx: 3 })).toThrow('must be one of the 3 rows, found 3');
  });
});
