/** @file Smooth gated activations: Gelu, Mish, Swish, SwiGLU. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import type { Attrs, Value } from '../ir/graph.ts';
import { formatShape, sameShape } from '../ir/shape.ts';
import { sigmoid, softplus, tanh, toUnit } from './activations.ts';
import { add, mul, sub } from './arithmetic.ts';
import { defineOp } from './define.ts';
import { erf, exp } from './elementwise.ts';
import { composedInDouble, inferFloat, numberAttr, scalar, slope } from './unary.ts';

const cubic = 0.044715;
const tanhScale = Math.sqrt(2 / Math.PI);

/** tanh of the polynomial that approximates the normal distribution function (Hendrycks and Gimpel 2016). */
function innerTanh(x: Value): Value {
  const factor = add(mul(mul(x, x), scalar(x, cubic * tanhScale)), scalar(x, tanhScale));
  return tanh(mul(x, factor));
}

/** The normal distribution function, exact or by tanh. */
export function normalCdf(x: Value, approximate = 'none'): Value {
  return toUnit(approximate === 'tanh' ? innerTanh(x) : erf(mul(x, scalar(x, Math.SQRT1_2))));
}

/** d/dx of x times the (exact or approximate) normal distribution function. */
export function geluSlope(x: Value, approximate = 'none'): Value {
  if (approximate === 'tanh') {
    const t = innerTanh(x);
    const inner = add(mul(mul(x, x), scalar(x, 1.5 * cubic * tanhScale)), scalar(x, 0.5 * tanhScale));
    return add(toUnit(t), mul(mul(x, inner), sub(scalar(x, 1), mul(t, t))));
  }
  const density = exp(mul(mul(x, x), scalar(x, -0.5)));
  return add(normalCdf(x), mul(mul(x, density), scalar(x, 1 / Math.sqrt(2 * Math.PI))));
}

function approximation(attrs: Attrs): string {
  const found = (attrs.approximate as string | undefined) ?? 'none';
  if (found !== 'none' && found !== 'tanh')
    throw new ArgumentError(`approximate is 'none' or 'tanh', found '${found}'`);
  return found;
}

/** x times the normal distribution function; `approximate: 'tanh'` for the faster form. */
export const gelu = defineOp('Gelu', {
  infer: (inputs, attrs) => {
    approximation(attrs);
    return inferFloat(inputs);
  },
  gradient: slope((x, _, attrs) => geluSlope(x, approximation(attrs))),
  ...composedInDouble(([x], attrs) => mul(x, normalCdf(x, approximation(attrs)))),
});

/** x tanh(softplus(x)). */
export const mish = defineOp('Mish', {
  infer: inferFloat,
  gradient: slope((x) => {
    const t = tanh(softplus(x));
    return add(t, mul(mul(x, sigmoid(x)), sub(scalar(x, 1), mul(t, t))));
  }),
  ...composedInDouble(([x]) => mul(x, tanh(softplus(x)))),
});

const gate = (x: Value, alpha: number) => sigmoid(alpha === 1 ? x : mul(x, scalar(x, alpha)));

/** d/dx of x sigmoid(alpha x), from y = x sigmoid(alpha x). */
export function swishSlope(x: Value, y: Value, alpha: number): Value {
  const s = gate(x, alpha);
  const rest = mul(y, sub(scalar(x, 1), s));
  return add(s, alpha === 1 ? rest : mul(rest, scalar(x, alpha)));
}

/** x sigmoid(alpha x); alpha = 1 is SiLU. */
export const swish = defineOp('Swish', {
  infer: inferFloat,
  lowered: true, // ONNX Runtime 1.30 has no CPU kernel
  gradient: slope((x, y, attrs) => swishSlope(x, y, numberAttr(attrs, 'alpha', 1))),
  decompose: ([x], attrs) => mul(x, gate(x, numberAttr(attrs, 'alpha', 1))),
});

/** Swish(a) times b, the shapes equal. Newer than the opset that is emitted, so it is always composed. */
export const swiGLU = defineOp('SwiGLU', {
  infer: inferFloat,
  simplify: ([a, b], attrs) => {
    if (!sameShape(a.shape, b.shape))
      throw new ShapeError(
        `gate and value must have the same shape, found ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
      );
    return mul(swish(a, { alpha: numberAttr(attrs, 'alpha', 1) }), b);
  },
  gradient: 'decompose',
  decompose: ([a, b], attrs) => mul(swish(a, { alpha: numberAttr(attrs, 'alpha', 1) }), b),
});
