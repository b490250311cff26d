import { describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import { GradientError } from '../../src/ir/errors.ts';
import { constant, type Value } from '../../src/ir/graph.ts';
import { attention, rotaryEmbedding } from '../../src/ops/attention.ts';
import { checkDecomposition, checkDifferences, evaluate, expectClose, leaf, noise, testGolden } from './nn-harness.ts';

describe('golden', () => testGolden(['Attention', 'RotaryEmbedding']));
describe('decompositions', () => checkDecomposition(['Attention', 'RotaryEmbedding']));

describe('the kernel and the parts', () => {
  it('agree, whichever is chosen by whether gradients are wanted', async () => {
    const attrs = { is_causal: 1, softcap: 3, q_num_heads: 4, kv_num_heads: 2 };
    const frozen = [noise([2, 3, 8], 1, false), noise([2, 3, 4], 2, false), noise([2, 3, 4], 3, false)];
    const trained = [noise([2, 3, 8], 1), noise([2, 3, 4], 2), noise([2, 3, 4], 3)];
    const [kernel, parts] = [attention(...frozen, attrs), attention(...trained, attrs)];
    expect(kernel.node?.op.type).toBe('Attention');
    expect(parts.node?.op.type).not.toBe('Attention');
    const [a, b] = await evaluate([kernel, parts]);
    expectClose(b, a, 'attention');
  });
  it('leave out keys beyond the number of valid ones', async () => {
    const [q, k] = [noise([2, 1, 2, 3], 1, false), noise([2, 1, 4, 3], 2, false)];
    const lengths = constant([4, 2], 'int64');
    const open = leaf(Uint8Array.of(1, 1, 1, 1, 1, 1, 0, 0), [2, 1, 1, 4], 'bool');
    const [a, b] = await evaluate([
      attention(q, k, k, null, null, null, lengths),
      attention(noise([2, 1, 2, 3], 1), k, k, open),
    ]);
    expectClose(a, b, 'attention');
  });
});

describe('derivatives by differences, first and second', () => {
  it('Attention', async () => {
    const f = ([q, k, v, m]: readonly Value[]) => attention(q, k, v, m, { is_causal: 1, softcap: 2 });
    const shapes = [{ shape: [1, 2, 2, 2] }, { shape: [1, 1, 3, 2] }, { shape: [1, 1, 3, 2] }, { shape: [2, 3] }];
    await checkDifferences(f, shapes, { second: true, tolerance: 1e-2 });
  });
});

describe('errors', () => {
  const q = noise([1, 2, 3, 4], 0);
  it('name what does not fit', () => {
    expect(() => attention(q, q, noise([1, 2, 4, 4], 0))).toThrow(/do not fit each other/);
    expect(() => attention(q, noise([1, 3, 3, 4], 0), noise([1, 3, 3, 4], 0))).toThrow(/must be a multiple/);
    expect(() => attention(q, q, q, noise([2, 3], 0))).toThrow(/mask of shape \[2, 3\]|do not broadcast/);
    expect(() => attention(noise([1, 3, 8], 0), q, q)).toThrow(/must all be/);
    expect(() => rotaryEmbedding(q, noise([1, 3, 3], 0), noise([1, 3, 3], 0))).toThrow(/must have 2 entries/);
  });
  it('says that tables of angles take no gradient', () => {
    const y = rotaryEmbedding(q, noise([1, 3, 2], 1), noise([1, 3, 2], 2));
    expect(() => grad([y], [q], { gradOutputs: [noise(y.shape, 3, false)] })).not.toThrow();
    const cos = noise([1, 3, 2], 1);
    const z = rotaryEmbedding(q, cos, cos);
    expect(() => grad([z], [cos], { gradOutputs: [noise(z.shape, 3, false)] })).toThrow(GradientError);
  });
});
