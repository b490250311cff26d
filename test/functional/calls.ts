/** @file How the operators of the golden files are called, by family. */
import * as F from '../../src/nn/functional/index.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import * as T from '../../src/tensor/index.ts';
import type { CallTable } from './check.ts';

// As plain objects, to be indexed by name.
const layers = { ...F };
const operations = { ...T };

const unaries = [
  'abs',
  'neg',
  'exp',
  'exp2',
  'expm1',
  'sin',
  'cos',
  'tan',
  'sinh',
  'cosh',
  'tanh',
  'asinh',
  'atan',
  'erf',
  'sigmoid',
  'square',
  'sign',
  'floor',
  'ceil',
  'round',
  'trunc',
  'frac',
  'log',
  'log2',
  'log10',
  'log1p',
  'sqrt',
  'rsqrt',
  'reciprocal',
  'asin',
  'acos',
  'atanh',
  'erfinv',
  'acosh',
  'isnan',
  'isinf',
  'isfinite',
  'logicalNot',
] as const;
const binaries = [
  'add',
  'sub',
  'mul',
  'div',
  'maximum',
  'minimum',
  'hypot',
  'remainder',
  'fmod',
  'floorDivide',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
  'logicalAnd',
  'logicalOr',
  'logicalXor',
  'atan2',
] as const;

/** Arithmetic, comparison, selection. */
export const mathCalls: CallTable = {
  ...Object.fromEntries(unaries.map((name) => [name, ({ x }: { x: Tensor }) => x[name]()])),
  ...Object.fromEntries(binaries.map((name) => [name, ({ x, y }: { x: Tensor; y: Tensor }) => operations[name](x, y)])),
  logit: ({ x }) => x.logit(),
  pow: ({ x, y }, { exponent }) => x.pow(y ?? exponent),
  clamp: ({ x }, options) => x.clamp(options),
  nanToNum: ({ x }, options) => x.nanToNum(options),
  logaddexp: ({ x, y }) => x.logaddexp(y),
  erfc: ({ x }) => x.erfc(),
  lerp: ({ x, y, weight }) => x.lerp(y, weight),
  where: (_, __, [c, a, b]) => T.where(c, a, b),
  maskedFill: ({ x, mask }, { value }) => x.maskedFill(mask, value),
  addcmul: (_, options, [x, a, b]) => x.addcmul(a, b, options),
  addcdiv: (_, options, [x, a, b]) => x.addcdiv(a, b, options),
};

/** Reductions. */
export const reduceCalls: CallTable = {
  ...Object.fromEntries(
    (['sum', 'mean', 'prod', 'amax', 'amin', 'logsumexp', 'norm', 'argmax', 'argmin', 'any', 'all'] as const).map(
      (name) => [name, ({ x }: { x: Tensor }, { dim, ...options }) => x[name](dim, options)],
    ),
  ),
  var: ({ x }, { dim, ...options }) => x.var(dim, options),
  std: ({ x }, { dim, ...options }) => x.std(dim, options),
  max: ({ x }, { dim, ...options }) => x.max(dim, options),
  min: ({ x }, { dim, ...options }) => x.min(dim, options),
  median: ({ x }, { dim }) => x.median(dim).values,
  cumsum: ({ x }, { dim }) => x.cumsum(dim),
  cummax: ({ x }, { dim }) => x.cummax(dim),
  cumprod: ({ x }, { dim }) => x.cumprod(dim),
  logcumsumexp: ({ x }, { dim }) => x.logcumsumexp(dim),
};

/** Products. */
export const productCalls: CallTable = {
  matmul: ({ x, y }) => x.matmul(y),
  einsum: (_, { equation }, operands) => T.einsum(equation, ...operands),
  linear: ({ x, weight, bias }) => T.linear(x, weight, bias),
  bilinear: ({ x, y, weight, bias }) => T.bilinear(x, y, weight, bias),
  outer: ({ x, y }) => x.outer(y),
  mm: ({ x, y }) => x.mm(y),
  bmm: ({ x, y }) => x.bmm(y),
  mv: ({ x, y }) => x.mv(y),
  dot: ({ x, y }) => x.dot(y),
  addmm: (_, options, [x, a, b]) => T.addmm(x, a, b, options),
};

/** Shapes and positions. */
export const shapeCalls: CallTable = {
  slice: ({ x }, { starts, ends, steps }) =>
    x.at(...starts.map((s: number, i: number) => [s, ends[i], steps[i]] as const)),
  narrow: ({ x }, { dim, start, length }) => x.narrow(dim, start, length),
  select: ({ x }, { dim, index }) => x.select(dim, index),
  gather: ({ x, index }, { dim }) => x.gather(dim, index),
  scatterAdd: ({ x, index, src }, { dim }) => x.scatterAdd(dim, index, src),
  scatter: ({ x, index, src }, { dim }) => x.scatter(dim, index, src),
  indexSelect: ({ x, index }, { dim }) => x.indexSelect(dim, index),
  indexAdd: ({ x, index, source }, { dim }) => x.indexAdd(dim, index, source),
  takeAlongDim: ({ x, indices }, { dim }) => x.takeAlongDim(indices, dim),
  oneHot: ({ x }, { numClasses }) => x.oneHot(numClasses),
  cat: (_, { dim }, list) => T.cat(list, dim),
  stack: (_, { dim }, list) => T.stack(list, dim),
  unbind: ({ x }, { dim }) => x.unbind(dim),
  flip: ({ x }, { dims }) => x.flip(dims),
  split: ({ x }, { sizes, dim }) => x.split(sizes, dim),
  chunk: ({ x }, { chunks, dim }) => x.chunk(chunks, dim),
  pad: ({ x }, { pad, ...options }) => x.pad(pad, options),
  roll: ({ x }, { shifts, dims }) => x.roll(shifts, dims),
  tril: ({ x }, { diagonal }) => x.tril(diagonal),
  triu: ({ x }, { diagonal }) => x.triu(diagonal),
  diagonal: ({ x }, options) => x.diagonal(options),
  diag: ({ x }, { diagonal }) => x.diag(diagonal),
  topk: ({ x }, { k, dim, ...options }) => x.topk(k, dim, options),
  sort: ({ x }, { dim, ...options }) => x.sort(dim, options),
  argsort: ({ x }, { dim, ...options }) => x.argsort(dim, options),
  reshape: ({ x }, { shape }) => x.reshape(shape),
  flatten: ({ x }, { startDim, endDim }) => x.flatten(startDim, endDim),
  permute: ({ x }, { dims }) => x.permute(dims),
  transpose: ({ x }, { dim0, dim1 }) => x.transpose(dim0, dim1),
  squeeze: ({ x }, { dim }) => x.squeeze(dim),
  unsqueeze: ({ x }, { dim }) => x.unsqueeze(dim),
  expand: ({ x }, { sizes }) => x.expand(sizes),
  tile: ({ x }, { dims }) => x.tile(dims),
  repeatInterleave: ({ x }, { repeats, dim }) => x.repeatInterleave(repeats, dim),
  movedim: ({ x }, { source, destination }) => x.movedim(source, destination),
};

/** Activations. */
export const activationCalls: CallTable = {
  ...Object.fromEntries(
    (['softmax', 'logSoftmax', 'softmin'] as const).map((name) => [
      name,
      ({ x }: { x: Tensor }, { dim }) => x[name](dim),
    ]),
  ),
  ...Object.fromEntries(
    (
      [
        'relu',
        'relu6',
        'selu',
        'silu',
        'mish',
        'softsign',
        'hardswish',
        'hardsigmoid',
        'tanhshrink',
        'logsigmoid',
      ] as const
    ).map((name) => [name, ({ x }: { x: Tensor }) => x[name]()]),
  ),
  ...Object.fromEntries(
    (['leakyRelu', 'elu', 'celu', 'gelu', 'softplus', 'hardtanh', 'softshrink', 'hardshrink'] as const).map((name) => [
      name,
      ({ x }: { x: Tensor }, options) => x[name](options),
    ]),
  ),
  threshold: ({ x }, { threshold, value }) => x.threshold(threshold, value),
  prelu: ({ x, weight }) => x.prelu(weight),
  glu: ({ x }, { dim }) => x.glu(dim),
};

const overSizes = <Name extends string>(names: readonly Name[], call: (name: Name) => CallTable[string]): CallTable =>
  Object.fromEntries(names.map((name) => [name, call(name)]));

/** Convolutions. */
export const convCalls: CallTable = {
  ...overSizes(
    ['conv1d', 'conv2d', 'conv3d'],
    (name) =>
      ({ x, weight, bias }, options) =>
        layers[name](x, weight, bias, options),
  ),
  ...overSizes(
    ['convTranspose1d', 'convTranspose2d', 'convTranspose3d'],
    (name) =>
      ({ x, weight, bias }, options) =>
        layers[name](x, weight, bias, options),
  ),
};

/** Pools. */
export const poolCalls: CallTable = {
  ...overSizes(['maxPool1d', 'maxPool2d', 'maxPool3d'], (name) => ({ x }, { kernelSize, ...options }) => {
    if (!options.returnIndices) return layers[name](x, kernelSize, options);
    const { values, indices } = layers[name](x, kernelSize, options);
    return [values, indices];
  }),
  ...overSizes(
    ['avgPool1d', 'avgPool2d', 'avgPool3d'],
    (name) =>
      ({ x }, { kernelSize, ...options }) =>
        layers[name](x, kernelSize, options),
  ),
  ...overSizes(
    [
      'adaptiveAvgPool1d',
      'adaptiveAvgPool2d',
      'adaptiveAvgPool3d',
      'adaptiveMaxPool1d',
      'adaptiveMaxPool2d',
      'adaptiveMaxPool3d',
    ],
    (name) =>
      ({ x }, { outputSize }) =>
        layers[name](x, outputSize),
  ),
  ...overSizes(
    ['maxUnpool1d', 'maxUnpool2d', 'maxUnpool3d'],
    (name) =>
      ({ x, indices }, { kernelSize, ...options }) =>
        layers[name](x, indices, kernelSize, options),
  ),
  lpPool1d: ({ x }, { normType, kernelSize, ...options }) => F.lpPool1d(x, normType, kernelSize, options),
  lpPool2d: ({ x }, { normType, kernelSize }) => F.lpPool2d(x, normType, kernelSize),
};

/** Distances and look-ups. */
export const vectorCalls: CallTable = {
  cosineSimilarity: ({ x, y }, options) => F.cosineSimilarity(x, y, options),
  normalize: ({ x }, options) => F.normalize(x, options),
  cdist: ({ x, y }, options) => F.cdist(x, y, options),
  pairwiseDistance: ({ x, y }, options) => F.pairwiseDistance(x, y, options),
  embeddingBag: ({ x, weight, perSampleWeights }, options) =>
    F.embeddingBag(x, weight, { perSampleWeights, ...options }),
  embedding: ({ x, weight }, options) => F.embedding(x, weight, options),
};

/** Losses. */
export const lossCalls: CallTable = {
  ...overSizes(
    [
      'mseLoss',
      'l1Loss',
      'smoothL1Loss',
      'huberLoss',
      'poissonNllLoss',
      'klDiv',
      'diceLoss',
      'sigmoidFocalLoss',
      'generalizedBoxIouLoss',
      'hingeEmbeddingLoss',
      'softMarginLoss',
    ],
    (name) =>
      ({ x, target }, options) =>
        layers[name](x, target, options),
  ),
  ...overSizes(
    ['multiMarginLoss', 'crossEntropy', 'nllLoss', 'binaryCrossEntropy'],
    (name) =>
      ({ x, target, weight }, options) =>
        layers[name](x, target, { weight, ...options }),
  ),
  binaryCrossEntropyWithLogits: ({ x, target, weight, posWeight }, options) =>
    F.binaryCrossEntropyWithLogits(x, target, { weight, posWeight, ...options }),
  multilabelSoftMarginLoss: ({ x, target, weight }, options) =>
    F.multilabelSoftMarginLoss(x, target, { weight, ...options }),
  tripletMarginWithDistanceLoss: (_, options, [x, y, z]) =>
    F.tripletMarginWithDistanceLoss(x, y, z, { ...options, distanceFunction: (a, b) => a.sub(b).abs().sum(-1) }),
  gaussianNllLoss: ({ x, target, var: variance }, options) => F.gaussianNllLoss(x, target, variance, options),
  cosineEmbeddingLoss: ({ x, y, target }, options) => F.cosineEmbeddingLoss(x, y, target, options),
  tripletMarginLoss: (_, options, [x, y, z]) => F.tripletMarginLoss(x, y, z, options),
  marginRankingLoss: ({ x, y, target }, options) => F.marginRankingLoss(x, y, target, options),
  ctcLoss: ({ x, y, inputLengths, targetLengths }, options) =>
    F.ctcLoss(x.logSoftmax(2), y, inputLengths, targetLengths, options),
};

/** Normalisations. */
export const normCalls: CallTable = {
  layerNorm: ({ x, weight, bias }, { normalizedShape, ...options }) =>
    F.layerNorm(x, normalizedShape, weight, bias, options),
  rmsNorm: ({ x, weight }, { normalizedShape, ...options }) => F.rmsNorm(x, normalizedShape, weight, options),
  groupNorm: ({ x, weight, bias }, { numGroups, ...options }) => F.groupNorm(x, numGroups, weight, bias, options),
  instanceNorm: ({ x, runningMean, runningVar, weight, bias }, options) =>
    F.instanceNorm(x, runningMean, runningVar, weight, bias, options),
  batchNorm: ({ x, runningMean, runningVar, weight, bias }, options) => {
    const output = F.batchNorm(x, runningMean, runningVar, weight, bias, options);
    return { output, runningMean, runningVar };
  },
  localResponseNorm: ({ x }, { size }) => F.localResponseNorm(x, size),
};

/** Attention and rearrangements of images. */
export const imageCalls: CallTable = {
  scaledDotProductAttention: ({ query, key, value, attnMask }, options) =>
    F.scaledDotProductAttention(query, key, value, { attnMask, ...options }),
  unfold: ({ x }, { kernelSize, ...options }) => F.unfold(x, kernelSize, options),
  fold: ({ x }, { outputSize, kernelSize, ...options }) => F.fold(x, outputSize, kernelSize, options),
  channelShuffle: ({ x }, { groups }) => F.channelShuffle(x, groups),
  pixelShuffle: ({ x }, { upscaleFactor }) => F.pixelShuffle(x, upscaleFactor),
  pixelUnshuffle: ({ x }, { downscaleFactor }) => F.pixelUnshuffle(x, downscaleFactor),
};

/** Resizing and sampling. */
export const resizeCalls: CallTable = {
  interpolate: ({ x }, options) => F.interpolate(x, options),
  gridSample: ({ x, grid }, options) => F.gridSample(x, grid, options),
  affineGrid: ({ theta }, { size, ...options }) => F.affineGrid(theta, size, options),
};
