/** @file SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss: class indices, weights, ignored targets, any rank. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { type Attrs, constant, type Value } from '../ir/graph.ts';
import { formatShape, type Shape, sameShape } from '../ir/shape.ts';
import { add, div, max, mul, sub } from './arithmetic.ts';
import { equal, where } from './compare.ts';
import { defineOp, requireFloat, requireSameDType, type } from './define.ts';
import { exp, neg } from './elementwise.ts';
import { gather, gatherElements, requireIndices, zerosOf } from './gather.ts';
import { expand, ints, reshape } from './movement.ts';
import { reduceSum } from './reduce.ts';
import { scatterElements } from './scatter.ts';
import { logSoftmax } from './softmax.ts';
import { scalar } from './unary.ts';

type Reduction = 'none' | 'mean' | 'sum';

const reductionOf = (attrs: Attrs): Reduction => {
  const found = (attrs.reduction as string | undefined) ?? 'mean';
  if (found !== 'none' && found !== 'mean' && found !== 'sum')
    throw new ArgumentError(`reduction must be 'none', 'mean' or 'sum', found '${found}'`);
  return found;
};

/** Type of the loss; checks that there is one target per position. */
function lossType([scores, target, weight]: readonly Value[], attrs: Attrs) {
  requireFloat(scores);
  requireIndices(target);
  const [batch, classes, ...positions] = scores.shape;
  if (scores.rank < 2 || !sameShape(target.shape, [batch, ...positions]))
    throw new ShapeError(
      `scores [batch, classes, ...positions] need targets [batch, ...positions] of class indices, found ${formatShape(scores.shape)} and ${formatShape(target.shape)}`,
    );
  if (weight) {
    requireSameDType(scores, weight);
    if (!sameShape(weight.shape, [classes]))
      throw new ShapeError(`weights must have shape [${classes}], one per class, found ${formatShape(weight.shape)}`);
  }
  return type(scores.dtype, reductionOf(attrs) === 'none' ? target.shape : []);
}

/** What the formulas share, one column [batch, 1, ...positions] beside the scores. */
interface Targets {
  /** Class indices that are safe to index with: ignored ones are replaced by class 0. */
  readonly index: Value;
  /** Weight of every position; null stands for all ones. */
  readonly weight: Value | null;
  /** By what the sum is divided: the sum of the weights for 'mean', else null. */
  readonly divisor: Value | null;
}

function readTargets([scores, target, weight]: readonly Value[], attrs: Attrs): Targets {
  const ignored = attrs.ignore_index as number | undefined;
  const column = reshape(target, target.shape.toSpliced(1, 0, 1));
  let index = column;
  let each: Value | null = null;
  if (ignored !== undefined) {
    const skip = equal(column, constant(ignored, target.dtype));
    index = where(skip, constant(0, target.dtype), column);
    each = where(skip, constant(0, scores.dtype), constant(1, scores.dtype));
  }
  if (weight) {
    const chosen = gather(weight, index);
    each = each ? mul(chosen, each) : chosen;
  }
  if (reductionOf(attrs) !== 'mean') return { index, weight: each, divisor: null };
  const total = each ? reduceSum(each, { keepdims: 0 }) : scalar(scores, target.size);
  return { index, weight: each, divisor: total };
}

/** -weight * logProbabilities[target], reduced. */
function pick(logProbabilities: Value, target: Value, { index, weight, divisor }: Targets, attrs: Attrs): Value {
  const chosen = gatherElements(logProbabilities, index, { axis: 1 });
  const weighted = weight ? mul(chosen, weight) : chosen;
  if (reductionOf(attrs) === 'none') return neg(reshape(weighted, target.shape));
  const total = neg(reduceSum(weighted, { keepdims: 0 }));
  return divisor ? div(total, divisor) : total;
}

/** Smaller sums of weights count as this. */
const leastWeight = 1e-37;

/** The derivative by -logProbabilities[target], one per position, as a column. */
function slopePerPosition(dy: Value, { index, weight, divisor }: Targets): Value {
  // Where all targets are ignored the loss is 0 / 0, but no gradient flows: it must not turn the weights into NaN.
  const share = divisor ? div(dy, weight ? max(divisor, scalar(divisor, leastWeight)) : divisor) : dy;
  const column = share.rank ? reshape(share, index.shape) : share;
  return weight ? mul(weight, column) : expand(column, index.shape);
}

function entropyParts(inputs: readonly Value[], attrs: Attrs): Value[] {
  const logProbabilities = logSoftmax(inputs[0], { axis: 1 });
  return [pick(logProbabilities, inputs[1], readTargets(inputs, attrs), attrs), logProbabilities];
}

/**
 * Cross entropy of softmax(scores) along axis 1 with class indices. Operands: scores [batch, classes, ...positions],
 * targets (int32 or int64) [batch, ...positions], optional weights [classes]; attributes reduction ('mean' divides by the
 * sum of the weights), ignore_index. Outputs: the loss, and on demand the log-probabilities.
 * Source: ONNX SoftmaxCrossEntropyLoss, torch.nn.functional.cross_entropy.
 */
export const softmaxCrossEntropyLoss = defineOp('SoftmaxCrossEntropyLoss', {
  optionalOutputs: 1,
  // ONNX Runtime has only the function body, many nodes long; ours shares its parts with the gradient.
  lowered: true,
  infer: (inputs, attrs) => [lossType(inputs, attrs), type(inputs[0].dtype, inputs[0].shape)],
  // ONNX Runtime's kernel refuses scores without elements.
  simplify: (inputs, attrs) => {
    if (inputs[0].size > 0) return undefined;
    lossType(inputs, attrs);
    return entropyParts(inputs, attrs);
  },
  gradient: ({ inputs, outputs: [, logProbabilities], attrs }, [dy, dLog]) => {
    const probabilities = exp(logProbabilities);
    let dx: Value | null = null;
    if (dy) {
      const targets = readTargets(inputs, attrs);
      const slope = slopePerPosition(dy, targets);
      // slope * (softmax - one-hot), the one-hot part written to its few places.
      dx = scatterElements(mul(probabilities, slope), targets.index, neg(slope), {
        axis: 1,
        reduction: 'add',
      });
    }
    if (dLog) {
      const through = sub(dLog, mul(probabilities, reduceSum(dLog, ints([1]))));
      dx = dx ? add(dx, through) : through;
    }
    return [dx];
  },
  decompose: entropyParts,
});

/**
 * -weight * x[target] along axis 1, reduced; x holds log-probabilities. Operands and attributes as for
 * SoftmaxCrossEntropyLoss. Source: ONNX NegativeLogLikelihoodLoss, torch.nn.functional.nll_loss.
 */
export const negativeLogLikelihoodLoss = defineOp('NegativeLogLikelihoodLoss', {
  infer: lossType,
  lowered: true,
  gradient: ({ inputs, attrs }, [dy]) => {
    if (!dy) return [];
    const targets = readTargets(inputs, attrs);
    const shape: Shape = inputs[0].shape;
    const slope = neg(slopePerPosition(dy, targets));
    return [scatterElements(zerosOf(inputs[0], shape), targets.index, slope, { axis: 1, reduction: 'add' })];
  },
  decompose: (inputs, attrs) => pick(inputs[0], inputs[1], readTargets(inputs, attrs), attrs),
});
