import { afterEach, describe, expect, it } from 'vitest';
import { fuseAssignments } from '../compiler/fuse-assignments.ts';
import { compile, noGrad, setDebug, type Tensor, tensor, zeros } from '../tensor/index.ts';
import { ScalarTape, withScalars } from '../tensor/operand.ts';
import * as optim from './index.ts';

const matrix = (scale = 1) =>
  tensor(
    [
      [0.5 * scale, -1, 2],
      [1, 0.25, -0.75],
    ],
    { requiresGrad: true },
  );

const squares = (...params: Tensor[]) => params.map((p) => p.mul(p).sum()).reduce((a, b) => a.add(b));

type Make = (options: Partial<optim.Hyper>) => optim.OptimizerFactory;

const elementwise: Record<string, Make> = {
  sgd: optim.sgd,
  'sgd with momentum': (o: object) => optim.sgd({ momentum: 0.9, nesterov: true, ...o }),
  adam: optim.adam,
  'adam with amsgrad': (o: object) => optim.adam({ amsgrad: true, ...o }),
  adamw: optim.adamw,
  adagrad: optim.adagrad,
  rmsprop: (o: object) => optim.rmsprop({ centered: true, momentum: 0.9, ...o }),
  adadelta: optim.adadelta,
  adamax: optim.adamax,
  nadam: optim.nadam,
  radam: optim.radam,
  lion: optim.lion,
};
const reducing: Record<string, Make> = { lamb: optim.lamb, adafactor: optim.adafactor };

describe('update formulas', () => {
  const definitions = [
    optim.sgd,
    optim.adam,
    optim.adamw,
    optim.adagrad,
    optim.rmsprop,
    optim.adadelta,
    optim.adamax,
    optim.nadam,
    optim.radam,
    optim.lion,
  ].map((o) => o.definition);

  it.each(definitions.map((d) => [d.name, d] as const))('%s is one loop, and nothing is left for the graph', (_, d) => {
    const [p, g] = [zeros([4, 3]), zeros([4, 3])];
    const names = [...Object.keys(d.state), 'vMax', 'momentumBuffer', 'gradAvg'];
    const state = Object.fromEntries(names.map((name) => [name, zeros([4, 3])]));
    const next = noGrad(() =>
      withScalars(new ScalarTape(), () =>
        // The loop over all rules knows neither the names of their state nor their options.
        (d.update as (input: object, hyper: object) => Record<string, Tensor | undefined>)(
          { p, g, step: 3, ...state },
          d.defaults,
        ),
      ),
    );
    const assignments = Object.entries(next).flatMap(([name, value]) =>
      value ? [{ target: name === 'p' ? p.value : state[name].value, value: value.value }] : [],
    );
    const { loops, rest } = fuseAssignments(assignments, new Set([g.value]), (v) => v);
    expect(rest).toEqual([]);
    expect(loops).toHaveLength(1);
    expect(loops[0].writes).toHaveLength(assignments.length);
    // Reads the gradient and what it writes, and no other memory.
    expect(loops[0].arrays).toHaveLength(assignments.length + 1);
  });
});

describe('programs', () => {
  afterEach(() => setDebug({ level: 0, write: (line) => console.error(line) }));

  it.each(Object.entries({ ...elementwise, ...reducing }))(
    '%s is compiled once, however the learning rate changes',
    async (_, make) => {
      const lines: string[] = [];
      setDebug({ level: 1, write: (line) => lines.push(line) });
      const [a, b] = [matrix(), tensor([1, -2, 3], { requiresGrad: true })];
      const optimizer = make({ lr: 0.01 })([a, b]);
      for (let i = 0; i < 8; i++) {
        optimizer.zeroGrad();
        squares(a, b).backward();
        await optimizer.step();
        optimizer.groups[0].hyper.lr *= 0.9;
      }
      expect(lines).toHaveLength(1);
    },
  );
});

describe('a compiled step', () => {
  it.each(Object.entries({ ...elementwise, ...reducing }))(
    'of %s equals the eager one bit for bit',
    async (_, make) => {
      const run = async (compiled: boolean) => {
        const [a, b] = [matrix(), tensor([1, -2, 3], { requiresGrad: true })];
        const optimizer = make({ lr: 0.02 })([{ params: [a] }, { params: [b], lr: 0.01 }]);
        const scheduler = optim.exponentialLR(optimizer, { gamma: 0.8 });
        const body = async (x: Tensor) => {
          optimizer.zeroGrad();
          const loss = squares(a.add(x), b);
          loss.backward();
          await optimizer.step();
          return loss;
        };
        const step = compiled ? compile(body) : body;
        for (let i = 0; i < 7; i++) {
          await step(tensor([i / 10, 0.5, 1]));
          scheduler.step();
        }
        return [...(await a.data()), ...(await b.data())];
      };
      expect(await run(true)).toEqual(await run(false));
    },
  );
});

describe('a step that fails', () => {
  it('leaves everything as it was inside compile, and training can go on', async () => {
    const a = tensor([1, 2], { requiresGrad: true });
    const optimizer = optim.sgd([a], { lr: 0.1, momentum: 0.9 });
    const body = async (x: Tensor, fails: boolean) => {
      optimizer.zeroGrad();
      const loss = a.mul(x).sum();
      loss.backward();
      await optimizer.step();
      if (fails) throw new Error('out of luck');
      return loss;
    };
    await expect(compile((x: Tensor) => body(x, true))(tensor([1, 1]))).rejects.toThrow('out of luck');
    expect([...(await a.data())]).toEqual([1, 2]);
    expect(optimizer.stepCount).toBe(0);
    await body(tensor([1, 1]), false);
    expect((await a.data())[0]).toBeCloseTo(0.9, 6);
  });

  it('does not count', async () => {
    const a = tensor([1, 2], { requiresGrad: true });
    const optimizer = optim.adam([a], { lr: 0.1 });
    const stale = a.mul(2);
    a.sum().backward();
    await optimizer.step();
    // The gradient of the next loss is built on elements that the first step has overwritten.
    stale.square().sum().backward();
    await expect(optimizer.step()).rejects.toThrow('have since been overwritten');
    expect(optimizer.stepCount).toBe(1);
    optimizer.zeroGrad();
    a.sum().backward();
    await optimizer.step();
    expect((await a.data())[0]).toBeCloseTo(0.8, 5);
  });
});

describe('parameter groups', () => {
  it('have hyper-parameters of their own', async () => {
    const [a, b] = [tensor([1, 1], { requiresGrad: true }), tensor([1, 1], { requiresGrad: true })];
    const optimizer = optim.sgd([{ params: [a] }, { params: [b], lr: 0.5 }], { lr: 0.1 });
    a.mul(2).add(b).sum().backward();
    await optimizer.step();
    expect([...(await a.data())]).toEqual([Math.fround(0.8), Math.fround(0.8)]);
    expect([...(await b.data())]).toEqual([0.5, 0.5]);
  });

  it('can be added later, with bias correction from their own first step', async () => {
    const [a, b] = [tensor([1, 1], { requiresGrad: true }), tensor([1, 1], { requiresGrad: true })];
    const optimizer = optim.adam([a], { lr: 0.1 });
    const step = async (...params: Tensor[]) => {
      optimizer.zeroGrad();
      squares(...params).backward();
      await optimizer.step();
    };
    for (let i = 0; i < 5; i++) await step(a);
    optimizer.addGroup({ params: [b] });
    await step(a, b);
    // The first step of Adam is the learning rate, whatever the gradient.
    expect((await b.data())[0]).toBeCloseTo(0.9, 6);
    expect(optimizer.stateDict().parameterSteps).toEqual([6, 1]);
  });

  it('refuse repeated parameters, unknown options, numbers out of range and mixtures', () => {
    const a = matrix();
    expect(() => optim.adam([a, a])).toThrow('adam: a parameter appears twice');
    expect(() => optim.adam([])).toThrow('no parameters to optimise; pass model.parameters()');
    expect(() => optim.adam([a], { lr: -1 })).toThrow('adam: lr must be 0 or more, found -1');
    expect(() => optim.adam([a], { betas: [0.9, 1] })).toThrow('betas must be in [0, 1), found [0.9, 1]');
    expect(() => optim.sgd([a], { nesterov: true })).toThrow('nesterov needs a momentum above 0');
    expect(() => optim.sgd([a], Object.fromEntries([['learningRate', 1]]))).toThrow(
      "sgd: unknown option 'learningRate'; it takes lr, momentum, dampening, weightDecay, nesterov, maximize",
    );
    const mixed = [a, { params: [matrix()] }] as Tensor[];
    expect(() => optim.sgd(mixed)).toThrow('cannot be mixed');
    expect(() => optim.sgd([a.mul(2)])).toThrow('expected parameters (realised tensors)');
  });
});

describe('training', () => {
  it('accumulates gradients over several backward calls', async () => {
    const a = tensor([1, 2], { requiresGrad: true });
    const optimizer = optim.sgd([a], { lr: 0.1 });
    for (let i = 0; i < 3; i++)
      a.mul(i + 1)
        .sum()
        .backward();
    expect([...(await a.grad!.data())]).toEqual([6, 6]);
    await optimizer.step();
    expect((await a.data())[0]).toBeCloseTo(0.4, 6);
    expect((await a.data())[1]).toBeCloseTo(1.4, 6);
  });

  it('leaves parameters without a gradient as they are', async () => {
    const [a, b] = [tensor([1, 2], { requiresGrad: true }), tensor([3, 4], { requiresGrad: true })];
    const optimizer = optim.adamw([a, b]);
    a.sum().backward();
    await optimizer.step();
    expect([...(await b.data())]).toEqual([3, 4]);
    expect((await a.data())[0]).toBeLessThan(1);
  });

  it('updates single numbers as well as matrices', async () => {
    const a = tensor(3, { requiresGrad: true });
    const optimizer = optim.adam([a], { lr: 0.5 });
    for (let i = 0; i < 40; i++) {
      optimizer.zeroGrad();
      a.mul(a).backward();
      await optimizer.step();
    }
    expect(Math.abs(await a.item())).toBeLessThan(0.5);
  });
});

describe('the state', () => {
  it('continues exactly where it was saved', async () => {
    const run = async (restart: boolean) => {
      const a = matrix();
      let optimizer = optim.adamw([a], { lr: 0.05 });
      for (let i = 0; i < 6; i++) {
        if (restart && i === 3) {
          const { tensors, ...rest } = optimizer.stateDict();
          const held = await Promise.all(
            Object.entries(tensors).map(async ([k, t]) => [
              k,
              { data: await t.data(), shape: t.shape, dtype: t.dtype },
            ]),
          );
          const saved = { ...structuredClone(rest), tensors: Object.fromEntries(held) };
          optimizer = optim.adamw([a], { lr: 1 });
          await optimizer.loadStateDict(saved);
        }
        optimizer.zeroGrad();
        squares(a).backward();
        await optimizer.step();
      }
      return [...(await a.data())];
    };
    expect(await run(true)).toEqual(await run(false));
  });

  it('refuses the state of another model or optimiser', async () => {
    const optimizer = optim.adamw([matrix()]);
    const other = optim.adamw([tensor([1, 2], { requiresGrad: true })]);
    await expect(optimizer.loadStateDict(other.stateDict())).rejects.toThrow(
      "adamw: state tensor '0.m' is float32[2], expected float32[2, 3]: it belongs to another model",
    );
    await expect(optimizer.loadStateDict(optim.lion([matrix()]).stateDict())).rejects.toThrow('missing: 0.v');
  });

  it('refuses what are no parameters and no pair of betas', () => {
    expect(() => optim.sgd({ lr: 0.1 })({} as never)).toThrow('pass model.parameters()');
    expect(() => optim.sgd({ lr: 0.1 })([1] as never)).toThrow('takes parameters or groups { params, ... }, found 1');
    expect(() => optim.adam([matrix()], { betas: 0.9 as never })).toThrow('adam: betas must be two numbers, found 0.9');
  });
});
