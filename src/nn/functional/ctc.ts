/** @file Connectionist temporal classification (Graves et al., 2006), as a graph over time. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { constant, type Value } from '../../ir/graph.ts';
import { formatShape } from '../../ir/shape.ts';
import * as ops from '../../ops/index.ts';
import { cat, stack, Tensor, tensor, where } from '../../tensor/index.ts';
import { requireOneOf } from '../../tensor/lift.ts';
import type { LossOptions } from './reduction.ts';

export interface CtcOptions extends LossOptions {
  /** The class that stands for no label. */
  blank?: number;
  /** Count targets that cannot be aligned (infinite loss) as 0, without gradient. */
  zeroInfinity?: boolean;
}

/** Stands for log 0: finite, so that differences of impossible paths are not NaN. */
const impossible = -1e30;

/**
 * CTC loss of log-probabilities x [time, batch, classes] (or [time, classes]) and label sequences: targets [batch, length],
 * padded, or all joined in one dimension. 'mean' divides each loss by its target's length, then averages over the batch
 * (torch.nn.functional.ctc_loss). Joined targets with `targetLengths` as plain numbers make a smaller graph.
 * @throws ShapeError, ArgumentError where shapes, lengths and blank do not fit.
 */
export function ctcLoss(
  x: Tensor,
  targets: Tensor,
  inputLengths: Tensor | readonly number[],
  targetLengths: Tensor | readonly number[],
  options: CtcOptions = {},
): Tensor {
  const { blank = 0, reduction = 'mean', zeroInfinity = false } = options;
  requireOneOf(reduction, ['mean', 'sum', 'none'], 'ctcLoss', 'reduction');
  if (x.ndim === 2) {
    const one = targets.ndim === 1 ? targets.unsqueeze(0) : targets;
    const loss = ctcLoss(x.unsqueeze(1), one, flat(inputLengths), flat(targetLengths), options);
    return reduction === 'none' ? loss.reshape([]) : loss;
  }
  const [time, batch, classes] = checkShapes(x, targets, blank);
  const inputs = lengths(inputLengths, batch, time, 'inputLengths');
  const outputs = lengths(targetLengths, batch, targets.shape.at(-1) ?? 0, 'targetLengths');
  const labels = interleaved(padded(targets, targetLengths, outputs), blank);
  const states = labels.shape[1];
  const emissions = x.gather(2, labels.expand([time, batch, states]));
  const alphas = forward(emissions.value, transitions(labels, blank).value);
  // Row t * batch + n of the alphas: the last step of sample n.
  const rows = inputs
    .sub(1)
    .clamp({ min: 0 })
    .mul(batch)
    .add(tensor(range(batch), { dtype: 'int64' }));
  const last = alphas.reshape([time * batch, states]).at(rows);
  const end = outputs.mul(2);
  const ends = stack([end, end.sub(1).clamp({ min: 0 })], 1);
  const closed = last.gather(1, ends).add(
    stack([end.mul(0), end.eq(0)], 1)
      .to(x.dtype)
      .mul(impossible),
  );
  const losses = closed.logsumexp(1).neg();
  const isPossible = losses.lt(-impossible / 10);
  const safe = where(isPossible, losses, zeroInfinity ? 0 : Number.POSITIVE_INFINITY);
  if (classes < 1 || reduction === 'none') return safe;
  return reduction === 'sum' ? safe.sum() : safe.div(outputs.clamp({ min: 1 })).mean();
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const flat = (v: Tensor | readonly number[]) => (v instanceof Tensor ? v.reshape([1]) : v);

function checkShapes(x: Tensor, targets: Tensor, blank: number): readonly number[] {
  if (x.ndim !== 3 || (targets.ndim !== 1 && targets.ndim !== 2))
    throw new ShapeError(
      `ctcLoss: expected log-probabilities [time, batch, classes] and targets [batch, length] or [total], found ${formatShape(x.shape)} and ${formatShape(targets.shape)}`,
    );
  if (targets.ndim === 2 && targets.shape[0] !== x.shape[1])
    throw new ShapeError(
      `ctcLoss: ${targets.shape[0]} targets for a batch of ${x.shape[1]}; shapes ${formatShape(targets.shape)} and ${formatShape(x.shape)}`,
    );
  if (!Number.isInteger(blank) || blank < 0 || blank >= x.shape[2])
    throw new ArgumentError(`ctcLoss: blank ${blank} is not one of the ${x.shape[2]} classes`);
  return x.shape;
}

function lengths(given: Tensor | readonly number[], batch: number, most: number, name: string): Tensor {
  const count = given instanceof Tensor ? given.numel() : given.length;
  if (count !== batch)
    throw new ShapeError(`ctcLoss: ${name} must have ${batch} entries, one per sample, found ${count}`);
  if (given instanceof Tensor) return given.long().reshape([batch]);
  for (const n of given)
    if (!Number.isInteger(n) || n < 0 || n > most)
      throw new ArgumentError(`ctcLoss: ${name} must be whole numbers from 0 to ${most}, found ${n}`);
  return tensor([...given], { dtype: 'int64' });
}

/** Targets as [batch, length]; of joined ones only the given lengths tell where each begins. */
function padded(targets: Tensor, given: Tensor | readonly number[], outputs: Tensor): Tensor {
  if (targets.ndim === 2) return targets.long();
  const total = targets.shape[0];
  const longest = given instanceof Tensor ? total : Math.max(0, ...given);
  if (longest === 0) return new Tensor(constant([], 'int64', [outputs.shape[0], 0]));
  const starts = outputs.cumsum(0).sub(outputs).unsqueeze(1);
  const places = starts.add(tensor(range(longest), { dtype: 'int64' })).clamp({ max: total - 1 });
  return targets.long().at(places);
}

/** Blanks before, between and after the labels: [batch, 2 length + 1]. */
function interleaved(labels: Tensor, blank: number): Tensor {
  const [batch, length] = labels.shape;
  const blanks = (n: number) => new Tensor(ops.expand(constant(blank, 'int64'), [batch, n]));
  if (length === 0) return blanks(1);
  return cat([stack([blanks(length), labels], 2).reshape([batch, 2 * length]), blanks(1)], 1);
}

/** Log of whether a state may be entered from itself, from the one before, and from two before: [1, batch, states, 3]. */
function transitions(labels: Tensor, blank: number): Tensor {
  const [batch, states] = labels.shape;
  // From two before only past a blank between different labels; the states below 2 have no such predecessor.
  const before = labels.pad([2, 0], { value: blank }).narrow(1, 0, states);
  const isBarred = labels.eq(blank).logicalOr(labels.eq(before));
  const free = new Tensor(ops.expand(constant(0, 'float32'), [batch, states]));
  return stack([free, free, isBarred.float().mul(impossible)], 2).unsqueeze(0);
}

/** Logarithms of forward variables, [time, batch, states]. */
function forward(emissions: Value, allowed: Value): Tensor {
  const [time, batch, states] = emissions.shape;
  const steps = time === 1 ? [emissions] : ops.split(emissions, ops.ints(Array<number>(time).fill(1)), { axis: 0 });
  const wall = constant(impossible, 'float32', [1, batch, 1]);
  const start = constant(
    range(states).map((s) => (s < 2 ? 0 : impossible)),
    'float32',
    [1, 1, states],
  );
  // Position 0 of the widened row is the wall: what lies before the first state.
  const from = constant(
    range(states).flatMap((s) => [s + 1, s, Math.max(0, s - 1)]),
    'int64',
    [states, 3],
  );
  const alphas = [ops.add(steps[0], start)];
  for (let t = 1; t < time; t++) {
    const paths = ops.add(ops.gather(ops.concat(wall, alphas[t - 1], { axis: 2 }), from, { axis: 2 }), allowed);
    const arrived = ops.reduceLogSumExp(paths, ops.ints([3]), { keepdims: 0 });
    alphas.push(ops.add(arrived, steps[t]));
  }
  return new Tensor(time === 1 ? alphas[0] : ops.concat(...alphas, { axis: 0 }));
}
