/** @file 3x3 convolutions by Winograd's algorithm, in a channels-first layout that spreads to what lies between them. */
import type { Attrs, Node, Value } from '../../ir/graph.ts';
import { type Shape, sameShape } from '../../ir/shape.ts';
import { add } from '../../ops/arithmetic.ts';
import { apply } from '../../ops/define.ts';
import { reshape, transpose } from '../../ops/movement.ts';
import { rewrite } from '../rewrite.ts';
import { fastestWay } from './choice.ts';
import { DenseWinograd } from './dense.ts';
import type { Winograd } from './matrices.ts';
import { TiledWinograd } from './tiled.ts';

const swap = { perm: [1, 0, 2, 3] };

/** The other order of the two leading axes; cancels itself. */
const swapped = (v: Value): Value => transpose(v, swap);
const isSwapped = (v: Value): boolean =>
  v.node?.op.type === 'Transpose' && sameShape(v.node.attrs.perm as number[], swap.perm);

const elementwise = new Set([
  'Relu',
  'Neg',
  'HardSigmoid',
  'Sigmoid',
  'Tanh',
  'Add',
  'Sub',
  'Mul',
  'Div',
  'LeakyRelu',
  'Step',
]);

type Inputs = readonly (Value | null)[];

/** The pass; `block` is the engine's channel block (the input transform runs as a blocked convolution). */
export function toWinograd(outputs: readonly Value[], block: number): Value[] {
  const ways = new Map<string, Winograd>();
  /** The transform for maps and weights, one object for all that share its matrices; undefined where none is worth it. */
  const tiling = (maps: Value, weight: Shape, attrs: Attrs): Winograd | undefined => {
    if (maps.dtype !== 'float32' || !isPlain(weight, attrs)) return undefined;
    const way = fastestWay(maps.shape, weight);
    if (way === 'direct') return undefined;
    const [, , height, width] = maps.shape;
    const key = way === 'dense' ? `${height} x ${width}` : way;
    const known = ways.get(key);
    if (known) return known;
    const made =
      way === 'dense' ? new DenseWinograd(height, width) : new TiledWinograd(way === 'tiled 4' ? 4 : 2, block);
    ways.set(key, made);
    return made;
  };
  return rewrite(outputs, (node, inputs) => {
    const { attrs } = node;
    const [a, b, c] = inputs as readonly Value[];
    switch (node.op.type) {
      case 'Conv': {
        const transform = node.op.domain === '' ? tiling(a, b.shape, attrs) : undefined;
        return transform && [swapped(biased(transform.forward(swapped(a), b), c))];
      }
      case 'ConvGradInput': {
        const transform = tiling(a, b.shape, attrs);
        return transform && [swapped(transform.inputGradient(swapped(a), b))];
      }
      case 'ConvGradWeight': {
        const transform = tiling(a, attrs.shape as number[], attrs);
        return transform && [transform.weightGradient(swapped(a), swapped(b))];
      }
      default:
        return layoutRule(node, inputs);
    }
  });
}

/** Whether a convolution is 3 x 3 with padding 1 and nothing else. */
function isPlain(weight: Shape, attrs: Attrs): boolean {
  const { kernel_shape, strides, dilations, pads, group } = attrs as Readonly<Record<string, readonly number[]>> &
    Attrs;
  return (
    weight.length === 4 &&
    (group as unknown) === 1 &&
    sameShape(kernel_shape, [3, 3]) &&
    [...strides, ...dilations, ...pads].every((v) => v === 1)
  );
}

function biased(y: Value, bias: Value | undefined | null): Value {
  return bias ? add(y, reshape(bias, [bias.shape[0], 1, 1, 1])) : y;
}

/** Operators that treat batch and channels alike move above the transpose. */
function layoutRule(node: Node, inputs: Inputs): readonly Value[] | undefined {
  const { type } = node.op;
  const maps = inputs.filter((v): v is Value => v !== null && v.size > 1);
  if (!maps.some(isSwapped)) return undefined;
  if (type === 'MaxPool') {
    const [y, indices] = apply(node.op, [swapped(maps[0])], node.attrs);
    return [swapped(y), swapped(indices)];
  }
  if (type === 'MaxPoolGrad') {
    // Indices count elements in memory: they hold in this order only if the pool itself has moved.
    const isMoved = maps.every((v) => v.rank === 4) && inputs[2] !== null && isSwapped(inputs[2]);
    return isMoved ? [swapped(apply(node.op, maps.map(swapped), node.attrs)[0])] : undefined;
  }
  if (!elementwise.has(type) || !maps.every((v) => sameShape(v.shape, node.outputs[0].shape))) return undefined;
  const operands = inputs.map((v) => (v && v.size > 1 ? swapped(v) : v));
  return [swapped(apply(node.op, operands, node.attrs)[0])];
}
