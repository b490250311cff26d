/**
 * @file ONNX's random operators, as imported models hold them: types only, as ONNX Runtime 1.30 has no kernels of them for
 * the opset that is emitted. Gradus's own random numbers are made otherwise (tensor layer).
 */
import type { Attrs, Value } from '../ir/graph.ts';
import type { Shape } from '../ir/shape.ts';
import { defineOp, requireFloat, requireRank, type } from './define.ts';
import { dtypeAttr } from './generate.ts';
import { numberAttr } from './unary.ts';

const drawn = (name: string) =>
  defineOp(name, {
    infer: (_, attrs) => type(dtypeAttr(attrs, 'dtype', 'float32'), attrs.shape as Shape),
    gradient: 'zero',
    random: true,
  });

const drawnLike = (name: string) =>
  defineOp(name, {
    infer: ([x], attrs: Attrs) => type(dtypeAttr(attrs, 'dtype', x.dtype), x.shape),
    gradient: 'zero',
    random: true,
  });

/** Normal numbers of the attribute `shape`, with `mean` and `scale`. */
export const randomNormal = drawn('RandomNormal');
/** Uniform numbers of the attribute `shape`, between `low` and `high`. */
export const randomUniform = drawn('RandomUniform');
export const randomNormalLike = drawnLike('RandomNormalLike');
export const randomUniformLike = drawnLike('RandomUniformLike');

/** 1 with the probability that the operand gives, else 0. */
export const bernoulli = drawnLike('Bernoulli');

/** `sample_size` class indices per row of unnormalised log-probabilities [batch, classes]. */
export const multinomial = defineOp('Multinomial', {
  infer: ([x]: readonly Value[], attrs) => {
    requireFloat(x);
    requireRank(x, 2);
    return type(dtypeAttr(attrs, 'dtype', 'int32'), [x.shape[0], numberAttr(attrs, 'sample_size', 1)]);
  },
  gradient: 'zero',
  random: true,
});
