/** @file Features of networks whose last step is a residual sum. */
import { expect, it } from 'vitest';
import { Linear } from '../../nn/linear.ts';
import { Module } from '../../nn/module.ts';
import type { Tensor } from '../../tensor/index.ts';
import { exportOnnx, OnnxModel } from './index.ts';

/** As encoders without a head end: the way around the layers is the first operand. */
class Residual extends Module {
  first = new Linear(3, 4);
  second = new Linear(4, 3);

  override forward(x: Tensor): Tensor {
    return x.relu().add(this.second.forward(this.first.forward(x).relu()));
  }
}

it('follows the layers of a residual sum, not the way around them', async () => {
  const net = await OnnxModel.load(await exportOnnx(new Residual(), null, { inputs: [['batch', 3]] }));
  expect(net.features().map(({ readBy }) => readBy.split(' ').at(-1))).toEqual(['second']);
  expect(net.cutAt(net.features()[0].name).outputNames.length).toBe(1);
});
