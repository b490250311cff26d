import { describe, expect, it } from 'vitest';
import { eye, fromData, randn, type Tensor, tensor, zeros } from '../tensor/index.ts';
import * as nn from './index.ts';

class Block extends nn.Module {
  readonly width = 4;
  inProj = new nn.Linear(4, 4, { bias: false });
  runningScale = new nn.Buffer(zeros([4]));
  cache = new nn.Buffer(zeros([2]), { persistent: false });
  gain = new nn.Parameter(tensor([1, 1, 1, 1]));

  override forward(x: Tensor): Tensor {
    return this.inProj.forward(x).mul(this.gain);
  }
}

class Net extends nn.Module {
  blocks = new nn.ModuleList([new Block(), new Block()]);
  heads = new nn.ModuleDict({ camelCase: new nn.Linear(4, 2), '1': new nn.Linear(4, 3) });
  tied = this.blocks.at(0).gain;

  override forward(x: Tensor): Tensor {
    let y = x;
    for (const block of this.blocks) y = block.forward(y);
    return this.heads.get('camelCase').forward(y);
  }
}

describe('the tree of modules', () => {
  it('names parameters, buffers and modules as PyTorch does', () => {
    const net = new Net();
    expect(Object.keys(net.stateDict())).toEqual([
      'tied',
      'blocks.0.gain',
      'blocks.0.running_scale',
      'blocks.0.in_proj.weight',
      'blocks.1.gain',
      'blocks.1.running_scale',
      'blocks.1.in_proj.weight',
      'heads.1.weight',
      'heads.1.bias',
      'heads.camelCase.weight',
      'heads.camelCase.bias',
    ]);
    expect(net.namedParameters().map(([name]) => name)).toContain('tied');
    expect(net.parameters()).toHaveLength(8);
    expect(net.namedBuffers().map(([name]) => name)).toEqual([
      'blocks.0.running_scale',
      'blocks.0.cache',
      'blocks.1.running_scale',
      'blocks.1.cache',
    ]);
    expect([...net.namedModules()].map(([name]) => name).slice(0, 4)).toEqual([
      '',
      'blocks',
      'blocks.0',
      'blocks.0.in_proj',
    ]);
    expect(new Net().children().map((m) => m.constructor.name)).toEqual(['ModuleList', 'ModuleDict']);
  });

  it('is printed as PyTorch prints it', () => {
    expect(String(new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU()))).toBe(
      'Sequential(\n  (0): Linear(inFeatures=2, outFeatures=3, bias=true)\n  (1): ReLU()\n)',
    );
  });

  it('switches between training and evaluation, and visits children first', () => {
    const net = new Net();
    expect(
      net
        .eval()
        .modules()
        .every((m) => !m.training),
    ).toBe(true);
    expect(
      net
        .train()
        .modules()
        .every((m) => m.training),
    ).toBe(true);
    const seen: string[] = [];
    new nn.Sequential(new nn.ReLU(), new nn.Tanh()).apply((m) => seen.push(m.constructor.name));
    expect(seen).toEqual(['ReLU', 'Tanh', 'Sequential']);
  });

  it('freezes by name, prefix, pattern and function', () => {
    const net = new Net();
    const trained = () => net.namedParameters().flatMap(([name, p]) => (p.requiresGrad ? [name] : []));
    net.freeze('blocks').unfreeze(/blocks\.1\.gain/);
    expect(trained()).toContain('blocks.1.gain');
    expect(trained()).not.toContain('blocks.0.in_proj.weight');
    net.freeze().unfreeze((name) => name.endsWith('bias'));
    expect(trained()).toEqual(['heads.1.bias', 'heads.camelCase.bias']);
    expect(() => net.freeze('encoder')).toThrow(
      'no parameter matches encoder; there are: tied, blocks.0.in_proj.weight',
    );
  });

  it('forgets gradients', () => {
    const layer = new nn.Linear(2, 2);
    layer
      .forward(randn([1, 2]))
      .sum()
      .backward();
    expect(layer.weight.grad).not.toBeNull();
    layer.zeroGrad();
    expect(layer.weight.grad).toBeNull();
  });
});

describe('the state', () => {
  it('is copied, whatever holds it', async () => {
    const layer = new nn.Linear(2, 2, { bias: false });
    await layer.loadStateDict({ weight: { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2], dtype: 'float32' } });
    expect(await layer.weight.array()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    const source = eye(2);
    await layer.loadStateDict({ weight: source });
    source.setData(Float32Array.of(9, 9, 9, 9));
    expect(await layer.weight.array()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    await layer.loadStateDict({ weight: fromData(Float64Array.of(1, 2, 3, 4.5), [2, 2]) });
    expect((await layer.weight.data())[3]).toBe(4.5);
    expect(layer.weight.requiresGrad).toBe(true);
  });

  it('says what does not fit, and changes nothing then', async () => {
    const layer = new nn.Linear(2, 2);
    const before = [...(await layer.weight.data())];
    const weight = zeros([2, 2]);
    await expect(layer.loadStateDict({ weight, extra: weight })).rejects.toThrow(
      'state dict does not fit Linear: missing: bias. unexpected: extra. Pass { strict: false }',
    );
    await expect(layer.loadStateDict({ weight, bias: zeros([3]) })).rejects.toThrow(
      "state dict entry 'bias' has shape [3], the model needs [2]",
    );
    await expect(layer.loadStateDict({ weight, bias: zeros([2], { dtype: 'int32' }) })).rejects.toThrow(
      'cannot load int32 into a float32 tensor',
    );
    expect([...(await layer.weight.data())]).toEqual(before);
    expect(await layer.loadStateDict({ weight, extra: weight }, { strict: false })).toEqual({
      missingKeys: ['bias'],
      unexpectedKeys: ['extra'],
    });
    expect([...(await layer.weight.data())]).toEqual([0, 0, 0, 0]);
  });
});

describe('hooks', () => {
  it('see and may replace inputs and outputs, and can be removed', async () => {
    const layer = new nn.Linear(2, 1, { bias: false });
    await layer.loadStateDict({ weight: tensor([[1, 1]]) });
    const seen: unknown[] = [];
    const x = tensor([1, 2]);
    const removeFirst = layer.registerForwardPreHook((_, [input]) => [(input as Tensor).mul(10)]);
    const removeSecond = layer.registerForwardHook((module, inputs, output) => {
      seen.push(module, inputs.length);
      return (output as Tensor).add(1);
    });
    expect([...(await layer.forward(x).data())]).toEqual([31]);
    expect(seen).toEqual([layer, 1]);
    removeFirst();
    expect([...(await layer.forward(x).data())]).toEqual([4]);
    removeSecond();
    expect([...(await layer.forward(x).data())]).toEqual([3]);
    expect(Object.keys(layer)).not.toContain('forward');
  });
});

describe('containers', () => {
  it('give their modules by position and name', () => {
    const [a, b] = [new nn.ReLU(), new nn.Tanh()];
    const list = new nn.ModuleList<nn.Module>([a]).append(b);
    expect([...list]).toEqual([a, b]);
    expect([list.length, list.at(-1), new nn.Sequential(a, b).at(1), new nn.Sequential(a, b).length]).toEqual([
      2,
      b,
      b,
      2,
    ]);
    expect(() => list.at(2)).toThrow('no module at 2: there are 2');
    expect(() => list.forward()).toThrow('call its modules one by one');
    const dict = new nn.ModuleDict<nn.Module>({ second: a }).set('1', b);
    expect([dict.get('second'), dict.get('1'), dict.keys()]).toEqual([a, b, ['second', '1']]);
    expect(() => dict.get('third')).toThrow("no module named 'third'; there are: second, 1");
    expect(() => dict.set('a.b', a)).toThrow("'a.b' is not a module name");
    expect(() => dict.set('training', a)).toThrow(
      "'training' is not a module name: ModuleDict has a property of that name",
    );
  });
});
