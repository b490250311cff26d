import { describe, expect, it } from 'vitest';
import { expectClose } from '../../test/functional/check.ts';
import { type GoldenModel, type GoldenTensor, loadGolden } from '../../test/golden/load.ts';
import { adam } from '../optim/index.ts';
import { arange, compile, fromData, type Tensor } from '../tensor/index.ts';
import * as nn from './index.ts';

const F = nn.functional;

// The classes of test/golden/models.py, line for line.

class Mlp extends nn.Module {
  fc1 = new nn.Linear(6, 8);
  fc2 = new nn.Linear(8, 5);
  fc3 = new nn.Linear(5, 3);

  override forward(x: Tensor): Tensor {
    return this.fc3.forward(F.tanh(this.fc2.forward(F.relu(this.fc1.forward(x)))));
  }
}

class Cnn extends nn.Module {
  conv1 = new nn.Conv2d(2, 4, 3, { padding: 1 });
  bn1 = new nn.BatchNorm2d(4);
  conv2 = new nn.Conv2d(4, 6, 3, { stride: 2, padding: 1 });
  fc = new nn.Linear(6 * 2 * 2, 3);

  override forward(x: Tensor): Tensor {
    const y = F.maxPool2d(F.relu(this.bn1.forward(this.conv1.forward(x))), 2);
    return this.fc.forward(F.relu(this.conv2.forward(y)).flatten(1));
  }
}

class Encoder extends nn.Module {
  token = new nn.Embedding(11, 8, { paddingIdx: 0 });
  position = new nn.Embedding(6, 8);
  encoder = new nn.TransformerEncoder(
    new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 12, dropout: 0, activation: 'gelu', batchFirst: true }),
    2,
  );
  head = new nn.Linear(8, 3);

  override forward(x: Tensor): Tensor {
    const padding = x.eq(0);
    const embedded = this.token.forward(x).add(this.position.forward(arange(x.size(1))));
    const h = this.encoder.forward(embedded, { srcKeyPaddingMask: padding });
    const keep = padding.logicalNot().unsqueeze(-1).to(h.dtype);
    return this.head.forward(h.mul(keep).sum(1).div(keep.sum(1)));
  }
}

class Recurrent extends nn.Module {
  lstm = new nn.LSTM(3, 5, { numLayers: 2, batchFirst: true, bidirectional: true });
  head = new nn.Linear(10, 3);

  override forward(x: Tensor): Tensor {
    return this.head.forward(this.lstm.forward(x)[0].select(1, -1));
  }
}

const models: Record<string, new () => nn.Module & { forward(x: Tensor): Tensor }> = {
  mlp: Mlp,
  cnn: Cnn,
  encoder: Encoder,
  lstm: Recurrent,
};

const asTensor = ({ data, shape, dtype }: GoldenTensor) => fromData(data.slice(), shape, { dtype });

async function start(golden: GoldenModel) {
  const model = new models[golden.op]();
  expect(Object.keys(model.stateDict())).toEqual(Object.keys(golden.state));
  await model.loadStateDict(golden.state);
  const { x, target } = golden.args;
  return { model, optimizer: adam(model.parameters(), { lr: 1e-2 }), x, target };
}

describe.each(loadGolden('models').cases.map((c) => [c.name, c] as const))('%s', (_, golden) => {
  it('gives outputs and gradients of the reference', async () => {
    const { model, x, target } = await start(golden);
    const output = model.forward(asTensor(x));
    const loss = F.crossEntropy(output, asTensor(target));
    loss.backward();
    await expectClose(output, golden.output, 'output', 1e-4);
    expect(await loss.item()).toBeCloseTo(golden.loss, 4);
    for (const [name, p] of model.namedParameters()) {
      const expected = golden.grads[name];
      // The bias before a batch norm has no influence: its gradient is 0 up to rounding.
      if (Math.max(...expected.data.map(Math.abs)) < 1e-12)
        expect(Math.max(...(await p.grad!.data()).map(Math.abs))).toBeLessThan(1e-7);
      else await expectClose(p.grad!, expected, `gradient of ${name}`, 1e-4);
    }
  });

  it.each(['eager', 'compiled'])('gives its losses over five steps of Adam, %s', async (mode) => {
    const { model, optimizer, x, target } = await start(golden);
    const body = async (input: Tensor, wanted: Tensor) => {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(input), wanted);
      loss.backward();
      await optimizer.step();
      return loss;
    };
    const step = mode === 'compiled' ? compile(body) : body;
    const losses: number[] = [];
    for (let i = 0; i < 5; i++) losses.push(await (await step(asTensor(x), asTensor(target))).item());
    losses.forEach((loss, i) => {
      expect(Math.abs(loss - golden.losses[i])).toBeLessThan(5e-4);
    });
  });
});
