/** @file Every operator that a trainer meets has a definition and a test, and the page about operators is up to date. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { casesPerOperator, operatorsFile, operatorsPage } from '../../scripts/operators.ts';
import { findOp } from '../../src/ops/index.ts';

/** Seen with a gradient in exports of 20 model families. */
const inExports = `Abs Add Attention BatchNormalization Cast Clip Concat Conv ConvTranspose Cos CumSum Div Dropout Erf Exp
  Expand Flatten Gather GatherElements GatherND Gelu Gemm GlobalAveragePool HardSigmoid HardSwish Identity
  InstanceNormalization LayerNormalization Log MatMul MaxPool Min Mul Neg Pow RMSNormalization Reciprocal ReduceMean
  ReduceSum Relu Reshape Resize Sigmoid Sin Slice Softmax Split Sqrt Squeeze Sub Tanh Transpose Unsqueeze Where`;

/** Further operators that ONNX calls differentiable, or whose derivative is zero almost everywhere. */
const differentiable = `Acos Acosh AffineGrid Asin Asinh Atan Atanh AveragePool CastLike CausalConvWithState Ceil Celu
  CenterCropPad Col2Im Compress Cosh CumProd DepthToSpace DequantizeLinear Einsum Elu Floor GRU GlobalLpPool GlobalMaxPool
  GridSample GroupNormalization Hardmax LRN LSTM LeakyRelu LinearAttention LogSoftmax LpNormalization LpPool Max MaxUnpool
  Mean MeanVarianceNormalization Mish Mod NegativeLogLikelihoodLoss PRelu Pad QuantizeLinear RNN ReduceL1 ReduceL2
  ReduceLogSum ReduceLogSumExp ReduceMax ReduceMin ReduceProd ReduceSumSquare ReverseSequence RotaryEmbedding Round
  ScatterElements ScatterND Selu Shrink Sign Sinh SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Sum SwiGLU Swish
  Tan TensorScatter ThresholdedRelu Tile TopK Trilu`;

/** No gradient by nature, but part of models that are trained. */
const discrete = `And ArgMax ArgMin Bernoulli BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow
  Constant ConstantOfShape ConvInteger DynamicQuantizeLinear Equal EyeLike Greater GreaterOrEqual HammingWindow HannWindow
  IsInf IsNaN Less LessOrEqual MatMulInteger MelWeightMatrix Multinomial NonZero Not OneHot Or QLinearConv QLinearMatMul
  RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range Shape Size Unique Xor`;

/** Differentiable in principle, refused with a clear error here; their types are inferred. */
const typesOnly = 'DFT DeformConv Det MaxRoiPool RoiAlign STFT';

/** Refused with a clear error at once: what they return depends on data. */
const refused = 'If Loop NonMaxSuppression Scan';

const list = (names: string) => names.split(/\s+/);

/** Operators that tests other than the golden cases name. */
const namedInTests = readdirSync(new URL('.', import.meta.url))
  .filter((name) => name.startsWith('nn-') && name.endsWith('.test.ts'))
  .map((name) => readFileSync(new URL(name, import.meta.url), 'utf8'))
  .join('\n');

describe('coverage', () => {
  const cases = casesPerOperator();
  it.each([
    ['seen in exports', inExports, true],
    ['differentiable', differentiable, true],
    ['discrete', discrete, false],
    ['with types only', typesOnly, false],
    ['refused', refused, false],
  ])('defines every operator %s, with its gradient', (_, names, hasGradient) => {
    const missing = list(names).filter((name) => !findOp(name));
    expect(missing, 'operators without a definition').toEqual([]);
    if (hasGradient) expect(list(names).filter((name) => findOp(name)?.gradient === 'unsupported')).toEqual([]);
  });

  it('tests every operator', () => {
    const called = (name: string) => new RegExp(`\\b${name[0].toLowerCase()}${name.slice(1)}\\(`).test(namedInTests);
    const tested = (name: string) => cases.has(name) || called(name);
    const all = [inExports, differentiable, discrete, typesOnly].flatMap(list);
    expect(all.filter((name) => !tested(name))).toEqual([]);
  });

  it('keeps docs/operators.md up to date (npx tsx -C gradus-source scripts/operators.ts)', () => {
    expect(readFileSync(operatorsFile, 'utf8')).toBe(operatorsPage());
  });
});
