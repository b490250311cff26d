/** @file Losses of heads, as Python's transformers chooses them. */
import { ArgumentError } from '../ir/errors.ts';
import * as F from '../nn/functional/index.ts';
import type { Tensor } from '../tensor/index.ts';
import { checkIndices } from '../tensor/lift.ts';
import { numLabels, type PretrainedConfig } from './config.ts';

/**
 * Loss of a sequence classifier: mean squared error for a regression, binary cross-entropy of float labels
 * [batch, labels] for several labels at once, cross-entropy of class indices [batch] else (transformers'
 * ForSequenceClassificationLoss). Without `problemType` it follows from the number of labels and their dtype.
 */
export function sequenceClassificationLoss(config: PretrainedConfig, logits: Tensor, labels: Tensor): Tensor {
  const count = numLabels(config);
  const isFloat = labels.dtype.startsWith('float');
  const kind =
    config.problemType ??
    (count === 1 ? 'regression' : isFloat ? 'multi_label_classification' : 'single_label_classification');
  if (kind === 'regression') return F.mseLoss(logits.reshape(labels.shape), labels.to(logits.dtype));
  if (kind === 'multi_label_classification') return F.binaryCrossEntropyWithLogits(logits, labels.to(logits.dtype));
  if (isFloat)
    throw new ArgumentError(
      `labels of ${count} classes must be whole numbers (int64), found ${labels.dtype}; for several labels at once set problemType 'multi_label_classification'`,
    );
  checkIndices(labels, count, 'labels', 'class', -100);
  return F.crossEntropy(logits, labels);
}

/** Cross-entropy over positions: logits [batch, sequence, classes], labels [batch, sequence], -100 is ignored. */
export function tokenLoss(logits: Tensor, labels: Tensor): Tensor {
  const classes = logits.size(-1);
  checkIndices(labels, classes, 'labels', 'class', -100);
  return F.crossEntropy(logits.reshape([-1, classes]), labels.reshape([-1]), { ignoreIndex: -100 });
}

/** Cross-entropy of the next token: logits [batch, sequence, vocabulary] against the labels one position on. */
export function causalLoss(logits: Tensor, labels: Tensor): Tensor {
  const length = logits.size(1) - 1;
  return tokenLoss(logits.narrow(1, 0, length), labels.narrow(1, 1, length));
}

/** Mean of the losses of start and end of a span; positions outside of the text are ignored. */
export function spanLoss(start: Tensor, end: Tensor, startPositions: Tensor, endPositions: Tensor): Tensor {
  const length = start.size(1);
  const one = (logits: Tensor, at: Tensor) =>
    F.crossEntropy(logits, at.clamp({ min: 0, max: length }), { ignoreIndex: length });
  return one(start, startPositions).add(one(end, endPositions)).div(2);
}
