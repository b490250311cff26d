import { describe, expect, it } from 'vitest';
import { expectClose, type Options } from '../../test/functional/check.ts';
import { type GoldenCase, isGoldenTensor, loadGolden } from '../../test/golden/load.ts';
import { fromData, ones, type Tensor } from '../tensor/index.ts';
import * as nn from './index.ts';

type LossKind = new (options: Options) => nn.Module & { forward(...inputs: Options[]): Tensor };

const kinds: Record<string, LossKind> = {
  crossEntropy: nn.CrossEntropyLoss,
  nllLoss: nn.NLLLoss,
  binaryCrossEntropy: nn.BCELoss,
  binaryCrossEntropyWithLogits: nn.BCEWithLogitsLoss,
  multilabelSoftMarginLoss: nn.MultiLabelSoftMarginLoss,
  multiMarginLoss: nn.MultiMarginLoss,
  mseLoss: nn.MSELoss,
  l1Loss: nn.L1Loss,
  smoothL1Loss: nn.SmoothL1Loss,
  huberLoss: nn.HuberLoss,
  poissonNllLoss: nn.PoissonNLLLoss,
  gaussianNllLoss: nn.GaussianNLLLoss,
  klDiv: nn.KLDivLoss,
  softMarginLoss: nn.SoftMarginLoss,
  hingeEmbeddingLoss: nn.HingeEmbeddingLoss,
  marginRankingLoss: nn.MarginRankingLoss,
  cosineEmbeddingLoss: nn.CosineEmbeddingLoss,
  tripletMarginLoss: nn.TripletMarginLoss,
  tripletMarginWithDistanceLoss: nn.TripletMarginWithDistanceLoss,
  ctcLoss: nn.CTCLoss,
  sigmoidFocalLoss: nn.FocalLoss,
  diceLoss: nn.DiceLoss,
};

const weights = new Set(['weight', 'posWeight']);

function run(c: GoldenCase): Tensor {
  const args = Object.entries(c.args).map(
    ([name, { data, shape, dtype }]) => [name, fromData(data.slice(), shape, { dtype })] as const,
  );
  // The golden file was made with the distance of L1.
  const distance = c.op === 'tripletMarginWithDistanceLoss' && {
    distanceFunction: (a: Tensor, b: Tensor) => a.sub(b).abs().sum(-1),
  };
  const loss = new kinds[c.op]({
    ...c.options,
    ...distance,
    ...Object.fromEntries(args.filter(([name]) => weights.has(name))),
  });
  const inputs = args.filter(([name]) => !weights.has(name)).map(([, t]) => t);
  // The golden file holds logits for CTC.
  if (c.op === 'ctcLoss') inputs[0] = inputs[0].logSoftmax(-1);
  return loss.forward(...inputs);
}

describe('losses as modules', () => {
  // PyTorch has no module of this one; it belongs to torchvision.
  const cases = loadGolden('losses').cases.filter((c) => c.op !== 'generalizedBoxIouLoss');
  it('there is one for each loss', () => {
    expect(new Set(cases.map((c) => c.op))).toEqual(new Set(Object.keys(kinds)));
  });

  it.each(cases.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    if (!isGoldenTensor(c.output)) throw new Error('a loss has one output');
    await expectClose(run(c), c.output, 'loss', 2e-5);
  });

  it('keep their weights in the state', () => {
    expect(Object.keys(new nn.BCEWithLogitsLoss({ posWeight: ones([2]) }).stateDict())).toEqual(['pos_weight']);
    expect(Object.keys(new nn.CrossEntropyLoss().stateDict())).toEqual([]);
    expect(String(new nn.CrossEntropyLoss({ labelSmoothing: 0.1 }))).toBe('CrossEntropyLoss(labelSmoothing=0.1)');
  });
});
