/** @file The cases again in float64: the same results, composed where ONNX Runtime has float32 kernels only. */
import { describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import { isFloat } from '../../src/ir/dtype.ts';
import { EngineError } from '../../src/ir/errors.ts';
import { constant, type Value } from '../../src/ir/graph.ts';
import { apply, findOp } from '../../src/ops/define.ts';
import { fromData } from '../../src/tensor/creation.ts';
import { realizeValues } from '../../src/tensor/realize.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import type { GoldenTensor } from '../golden/load.ts';
import { expectClose, loadCases, type OpCase } from './harness.ts';

/** No kernel in float64, and nothing exact to compose them of. */
const float32Only = new Set(['MelWeightMatrix', 'CausalConvWithState']);
/** Types that ONNX ties to float32. */
const tied = /^(BitCast|Quantize|Dequantize|DynamicQuantize|QLinear|Skip)/;

const widened = (t: GoldenTensor): GoldenTensor =>
  t.dtype === 'float32' ? { ...t, dtype: 'float64', data: Float64Array.from(t.data) } : t;

function build(c: OpCase) {
  const definition = findOp(c.op, c.domain);
  if (!definition) throw new Error(`operator ${c.op} is not defined`);
  const inputs = c.inputs.map((t, i) => {
    if (!t) return null;
    const { data, dtype, shape } = widened(t);
    if (c.constants?.includes(i)) return constant(data, dtype, shape);
    return fromData(data, shape, { dtype, requiresGrad: c.differentiable?.includes(i) ?? false }).value;
  });
  const outputs = apply(definition, inputs, c.attrs).slice(0, c.outputs.length);
  const seeded = outputs.flatMap((y, i) => {
    const s = c.gradOutputs?.[i];
    return s && isFloat(y.dtype) ? [{ y, s: widened(s) }] : [];
  });
  const leaves = c.grads ? (c.differentiable ?? []).map((i) => inputs[i] as Value) : [];
  const gradients = leaves.length
    ? grad(
        seeded.map((p) => p.y),
        leaves,
        { gradOutputs: seeded.map(({ s }) => constant(s.data, s.dtype, s.shape)) },
      )
    : [];
  return { outputs, gradients };
}

describe('float64', () => {
  it.each(['elementwise', 'arithmetic', 'activations', 'reductions', 'movement', 'indexing', 'products', 'fused'])(
    '%s',
    async (family) => {
      const all = loadCases(family).filter((c) => !c.typesOnly && c.inputs.some((t) => t?.dtype === 'float32'));
      const cases = all.filter((c) => !float32Only.has(c.op) && !tied.test(c.op));
      const built = cases.map(build);
      const tensors = new Map(
        built.flatMap((b) => [...b.outputs, ...b.gradients]).flatMap((v) => (v ? [[v, new Tensor(v)]] : [])),
      );
      await realizeValues([...tensors.values()].filter((t) => !t.value.constant));
      const read = async (v: Value) => await (tensors.get(v) as Tensor).data();
      for (const [k, c] of cases.entries()) {
        const { outputs, gradients } = built[k];
        for (const [i, e] of c.outputs.entries()) {
          expect(outputs[i].dtype).toBe(e.dtype === 'float32' ? outputs[i].dtype : e.dtype);
          expectClose(await read(outputs[i]), e.data, `${c.name}: output ${i}`, c.tolerance ?? 1e-5);
        }
        for (const [i, e] of (c.grads ?? []).entries()) {
          const g = gradients[i];
          expectClose(g ? await read(g) : e.data.map(() => 0), e.data, `${c.name}: gradient ${i}`, c.tolerance ?? 2e-5);
        }
      }
    },
  );

  it('says so where the engine has no kernel', async () => {
    const x = fromData(new Float64Array(8), [1, 1, 8]).value;
    await expect(new Tensor(apply(findOp('Conv')!, [x, x], {})[0]).data()).rejects.toThrow(EngineError);
  });
});
