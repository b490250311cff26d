/** @file Metrics of ranked scores: `rocAuc` and `averagePrecision`, binary, one class against the rest, or of several labels. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { formatShape } from '../../ir/shape.ts';
import { checkClass } from './classes.ts';
import { checkChoice, type Metric, type MetricResult, NumberList, numbersOf, refuseNaN } from './metric.ts';

export interface RankingOptions {
  /**
   * Whether outputs [N, C] are logits, to which softmax is applied first. It matters for C > 2, where softmax changes
   * the order of samples within a class; of several labels each stands for itself. Default true; false where the
   * outputs are probabilities.
   */
  readonly fromLogits?: boolean;
  /** `macro`: mean over the classes; `none`: one value per class. Default `macro`. */
  readonly average?: 'macro' | 'none';
  readonly name?: string;
}

/** Samples in order of falling score, positives marked; equal scores form one group. */
interface Group {
  positives: number;
  negatives: number;
}

/**
 * Area under the ROC curve, ties counted half (scikit-learn's `roc_auc_score`; for more than two classes
 * `multi_class='ovr', average='macro'`). All scores are kept until `reset`: 8 bytes per sample and class.
 * Output [N] or [N, 1] (score of class 1) or [N, C]; target [N] of class indices, or [N, C] of 0 and 1 where a sample has
 * any number of labels (`average='macro'` of such targets). A class without positive or without negative samples has no
 * ROC curve: its value is NaN, and the macro average leaves it out.
 * @throws On update: ShapeError, ArgumentError (targets that are no classes, infinite logits), NumericError (NaN).
 */
export function rocAuc(options: RankingOptions = {}): Metric<NDArray, NDArray, MetricResult> {
  return rankingMetric('roc_auc', options, (groups, positives, negatives) => {
    if (positives === 0 || negatives === 0) return Number.NaN;
    let below = negatives;
    let wins = 0;
    for (const group of groups) {
      below -= group.negatives;
      wins += group.positives * (below + group.negatives / 2);
    }
    return wins / (positives * negatives);
  });
}

/**
 * Average precision: the sum over thresholds of precision times the gain in recall, without interpolation
 * (scikit-learn's `average_precision_score`; several classes one against the rest, or labels). A class without positive samples
 * scores 0. Inputs and memory as `rocAuc`.
 * @throws On update: ShapeError, ArgumentError (targets that are no classes), NumericError (NaN).
 */
export function averagePrecision(options: RankingOptions = {}): Metric<NDArray, NDArray, MetricResult> {
  return rankingMetric('average_precision', options, (groups, positives) => {
    let hits = 0;
    let seen = 0;
    let sum = 0;
    for (const group of groups) {
      hits += group.positives;
      seen += group.positives + group.negatives;
      sum += (group.positives * hits) / seen;
    }
    return positives === 0 ? 0 : sum / positives;
  });
}

function rankingMetric(
  defaultName: string,
  { fromLogits = true, average = 'macro', name = defaultName }: RankingOptions,
  score: (groups: readonly Group[], positives: number, negatives: number) => number,
): Metric<NDArray, NDArray, MetricResult> {
  checkChoice(name, 'average', average, ['macro', 'none']);
  const scores = new NumberList();
  const targets = new NumberList();
  let columns = 0;
  /** Whether there is a target per column, not per row. */
  let labelled = false;

  /** The score of class `c` against the rest. */
  function scoreOf(c: number, column: number): number {
    const values = scores.values();
    const actual = targets.values();
    const rows = values.length / columns;
    const order = Uint32Array.from({ length: rows }, (_, row) => row).sort(
      (a, b) => values[b * columns + column] - values[a * columns + column],
    );
    const groups: Group[] = [];
    let previous = Number.NaN;
    let positives = 0;
    for (const row of order) {
      const value = values[row * columns + column];
      if (value !== previous) groups.push({ positives: 0, negatives: 0 });
      previous = value;
      const group = groups[groups.length - 1];
      if (labelled ? actual[row * columns + column] === 1 : actual[row] === c) {
        group.positives++;
        positives++;
      } else group.negatives++;
    }
    return score(groups, positives, rows - positives);
  }

  return {
    name,
    reset() {
      scores.clear();
      targets.clear();
      columns = 0;
      labelled = false;
    },
    stateDict: () => ({ columns, labelled, scores: scores.stateDict(), targets: targets.stateDict() }),
    loadStateDict(state) {
      const saved = state as { columns: number; labelled?: boolean; scores: string; targets: string };
      columns = saved.columns;
      labelled = saved.labelled ?? false;
      scores.loadStateDict(saved.scores);
      targets.loadStateDict(saved.targets);
    },
    update(output, target) {
      const [rows, classes = 1] = output.shape;
      const [count, width = 1] = target.shape;
      const isMatrix = [output, target].every(({ shape }) => shape.length === 1 || shape.length === 2);
      if (!isMatrix || classes === 0 || count !== rows || (width !== 1 && width !== classes))
        throw new ShapeError(
          `metric ${name}: output ${formatShape(output.shape)} and target ${formatShape(target.shape)}, expected scores [N], [N, 1] or [N, C] and N class indices, or [N, C] of 0 and 1`,
        );
      const many = width > 1;
      const kept = classes === 2 && !many ? 1 : classes;
      if (columns !== 0 && (columns !== kept || labelled !== many)) {
        const kind = (isLabelled: boolean) => (isLabelled ? ' (a target for each)' : '');
        throw new ShapeError(
          `metric ${name}: ${classes} classes${kind(many)} now, but ${columns} columns of scores${kind(labelled)} before`,
        );
      }
      const values = numbersOf(output);
      const actual = numbersOf(target);
      refuseNaN(values, name, 'output');
      const found = Array.from(actual, (v, i) => checkClass(name, 'target', v, i, many ? 2 : Math.max(2, classes)));
      const added = new Float64Array(rows * kept);
      const isShares = fromLogits && classes > 1 && !many;
      for (let r = 0; r < rows; r++) {
        const row = values.subarray(r * classes, (r + 1) * classes);
        // Two classes: the difference orders samples as softmax does, without its rounding.
        if (kept < classes) added[r] = fromLogits ? difference(row[1], row[0]) : row[1];
        else added.set(isShares ? softmax(Float64Array.from(row), name) : row, r * kept);
      }
      columns = kept;
      labelled = many;
      for (const value of added) scores.push(value);
      for (const label of found) targets.push(label);
    },
    compute() {
      if (targets.length === 0) return Number.NaN;
      if (columns === 1) return scoreOf(1, 0);
      const each = Array.from({ length: columns }, (_, c) => scoreOf(c, c));
      if (average === 'none') return Object.fromEntries(each.map((v, c) => [String(c), v]));
      const defined = each.filter((v) => !Number.isNaN(v));
      return defined.reduce((sum, v) => sum + v, 0) / defined.length;
    },
  };
}

/** a - b, where equal infinities count as a tie. */
function difference(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

function softmax(row: Float64Array, metric: string): Float64Array {
  const max = row.reduce((m, v) => Math.max(m, v), Number.NEGATIVE_INFINITY);
  if (!Number.isFinite(max))
    throw new ArgumentError(`metric ${metric}: softmax of infinite logits; pass probabilities with fromLogits false`);
  const out = row.map((v) => Math.exp(v - max));
  const sum = out.reduce((s, v) => s + v, 0);
  return out.map((v) => v / sum);
}
