import { describe, expect, it } from 'vitest';
import { type Tensor, zeros } from '../tensor/index.ts';
import * as nn from './index.ts';

class Net extends nn.Module {
  conv = new nn.Conv2d(3, 8, 3, { padding: 1 });
  bn = new nn.BatchNorm2d(8);
  head = new nn.Sequential(new nn.Flatten(), new nn.Linear(8 * 4 * 4, 10), new nn.Dropout());

  override forward(x: Tensor): Tensor {
    return this.head.forward(nn.functional.maxPool2d(nn.functional.relu(this.bn.forward(this.conv.forward(x))), 2));
  }
}

describe('summary', () => {
  it('counts layers, shapes, parameters, multiply-adds and memory', () => {
    const model = new Net().freeze('conv');
    const s = nn.summary(model, [2, 3, 8, 8]);
    const convAdds = 2 * 8 * 8 * 8 * 3 * 3 * 3;
    const fcAdds = 2 * 10 * 128;
    expect(s.layers.map((l) => [l.name, l.type, l.depth, l.outputShapes, l.parameters, l.multiplyAdds])).toEqual([
      ['', 'Net', 0, [[2, 10]], 0, convAdds + fcAdds],
      ['conv', 'Conv2d', 1, [[2, 8, 8, 8]], 8 * 27 + 8, convAdds],
      ['bn', 'BatchNorm2d', 1, [[2, 8, 8, 8]], 16, 0],
      ['head', 'Sequential', 1, [[2, 10]], 0, fcAdds],
      ['head.0', 'Flatten', 2, [[2, 128]], 0, 0],
      ['head.1', 'Linear', 2, [[2, 10]], 1290, fcAdds],
      ['head.2', 'Dropout', 2, [[2, 10]], 0, 0],
    ]);
    expect(s).toMatchObject({
      parameters: 1530,
      trainable: 1306,
      frozen: 224,
      buffers: 17,
      multiplyAdds: convAdds + fcAdds,
    });
    expect(s.parameterBytes).toBe(4 * (1530 + 16) + 8);
    expect(s.activationBytes).toBe(4 * (1024 + 1024 + 256 + 20 + 20));
  });

  it('prints a table', () => {
    expect(String(nn.summary(new Net().freeze('conv'), [2, 3, 8, 8]))).toMatchInlineSnapshot(`
      "Layer                Output shape  Parameters  Multiply-adds
      ------------------------------------------------------------
      Net                  [2, 10]                -         30.2 K
        Conv2d (conv)      [2, 8, 8, 8]  224 frozen         27.6 K
        BatchNorm2d (bn)   [2, 8, 8, 8]          16              -
        Sequential (head)  [2, 10]                -         2.56 K
          Flatten (0)      [2, 128]               -              -
          Linear (1)       [2, 10]            1,290         2.56 K
          Dropout (2)      [2, 10]                -              -
      ------------------------------------------------------------
      Parameters: 1,530 (trainable 1,306, frozen 224); buffers: 17
      Multiply-adds: 30.2 K
      Memory: parameters and buffers 6.19 KB, activations 9.38 KB"
    `);
  });

  it('takes several inputs of any dtype, and leaves the model as it was', () => {
    const model = new nn.Sequential(new nn.Embedding(100, 6), new nn.Linear(6, 2));
    model.at(1).eval();
    const s = nn.summary(model, [{ shape: [3, 5], dtype: 'int64' }]);
    expect(s.layers[0].outputShapes).toEqual([[3, 5, 2]]);
    expect(s.multiplyAdds).toBe(15 * 12);
    expect(model.training).toBe(true);
    expect(model.at(1).training).toBe(false);
    expect(Object.keys(model.at(0))).not.toContain('forward');
    const pair = nn.summary(new nn.Bilinear(3, 4, 5), [
      [2, 3],
      [2, 4],
    ]);
    expect(pair.layers[0].outputShapes).toEqual([[2, 5]]);
    expect(() => nn.summary(model, [])).toThrow('give the shape of at least one input');
    expect(() => nn.summary(new nn.Linear(3, 4), [2, 5])).toThrow('5');
  });

  it('computes nothing', () => {
    const weights = nn.summary(new nn.Linear(80_000, 80_000), [1, 80_000]);
    expect(weights.parameters).toBe(80_000 * 80_000 + 80_000);
    expect(zeros([1]).storage).not.toBeNull();
  });
});
