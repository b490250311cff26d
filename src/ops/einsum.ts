/** @file Einsum: sums of products by subscripts. Its gradient is another einsum. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { type Attrs, constant, type Value } from '../ir/graph.ts';
import { formatShape, type Shape } from '../ir/shape.ts';
import { mul } from './arithmetic.ts';
import { defineOp, requireSameDType, type } from './define.ts';
import { expand, reshape } from './movement.ts';

/** Subscripts of every operand and of the result, one letter per axis, and the size each letter stands for. */
interface Subscripts {
  readonly operands: readonly string[];
  readonly output: string;
  readonly sizes: ReadonlyMap<string, number>;
}

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Reads an equation for operands of given shapes; an ellipsis becomes letters of its own. */
function parseEquation(equation: string, shapes: readonly Shape[]): Subscripts {
  const [left, right, ...rest] = equation.replaceAll(/\s/g, '').split('->');
  const terms = left.split(',');
  if (rest.length || terms.length !== shapes.length || !/^[A-Za-z.,]*$/.test(left))
    throw new ArgumentError(`equation '${equation}' does not describe ${shapes.length} operands`);
  const free = [...letters].filter((letter) => !equation.includes(letter));
  const widest = Math.max(0, ...terms.map((t, i) => (t.includes('...') ? shapes[i].length - t.length + 3 : 0)));
  const ellipsis = free.slice(0, widest).join('');
  const sizes = new Map<string, number>();
  const operands = terms.map((term, i) => {
    const count = shapes[i].length - term.replace('...', '').length;
    const full = term.replace('...', ellipsis.slice(Math.max(0, widest - count)));
    if (full.length !== shapes[i].length)
      throw new ShapeError(`subscripts '${term}' name ${full.length} axes, operand ${i} is ${formatShape(shapes[i])}`);
    [...full].forEach((letter, axis) => {
      const dim = shapes[i][axis];
      const known = sizes.get(letter) ?? 1;
      if (dim !== known && dim !== 1 && known !== 1)
        throw new ShapeError(`in '${equation}', ${letter} stands for sizes ${known} and ${dim}`);
      sizes.set(letter, known === 1 ? dim : known);
    });
    return full;
  });
  const all = operands.join('');
  const once = [...new Set(all)].filter((l) => !ellipsis.includes(l) && all.split(l).length === 2).sort();
  const output = right === undefined ? ellipsis + once.join('') : right.replace('...', ellipsis);
  for (const letter of output)
    if (!sizes.has(letter) || output.split(letter).length > 2)
      throw new ArgumentError(`the output '${right}' of '${equation}' must name subscripts of the operands, each once`);
  return { operands, output, sizes };
}

const subscriptsOf = (inputs: readonly Value[], attrs: Attrs) =>
  parseEquation(
    String(attrs.equation),
    inputs.map((v) => v.shape),
  );

const sizeOfLetter = ({ sizes }: Subscripts, letter: string) => sizes.get(letter) ?? 1;

/** The gradient of operand k: the others times dy, then the axes that were summed alone, broadcast or repeated. */
function operandGradient(inputs: readonly Value[], s: Subscripts, dy: Value, k: number): Value {
  const term = s.operands[k];
  const x = inputs[k];
  const others = s.operands.filter((_, i) => i !== k);
  const known = new Set([...s.output, ...others.join('')]);
  const distinct = [...new Set(term)];
  // An axis of size 1 that was broadcast is summed here and comes back by the reshape.
  const isBroadcast = (letter: string) => x.shape[term.indexOf(letter)] === 1 && sizeOfLetter(s, letter) !== 1;
  const reached = distinct.filter((l) => known.has(l) && !isBroadcast(l)).join('');
  const terms = [s.output, ...others];
  const g = einsum(dy, ...inputs.filter((_, i) => i !== k), { equation: `${terms.join()}->${reached}` });
  const opened = reshape(
    g,
    [...term].map((l, axis) => (reached.includes(l) && term.indexOf(l) === axis ? sizeOfLetter(s, l) : 1)),
  );
  return mulDiagonals(expand(opened, x.shape), term);
}

/** Keeps what lies on the diagonals of axes that share a letter. */
function mulDiagonals(x: Value, term: string): Value {
  return [...term].reduce((d, letter, axis) => {
    const first = term.indexOf(letter);
    if (first === axis) return d;
    const size = x.shape[axis];
    const elements = Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
    const eye = constant(elements, x.dtype, [size, size]);
    return mul(
      d,
      reshape(
        eye,
        x.shape.map((dim, i) => (i === first || i === axis ? dim : 1)),
      ),
    );
  }, x);
}

/** ONNX Runtime takes no axis of size 1 where another operand has more: such axes are dropped. */
function withoutBroadcasts(inputs: readonly Value[], s: Subscripts): Value | undefined {
  const broadcast = (k: number, axis: number) =>
    inputs[k].shape[axis] === 1 && sizeOfLetter(s, s.operands[k][axis]) !== 1;
  const kept = s.operands.map((term, k) => [...term].filter((_, axis) => !broadcast(k, axis)).join(''));
  if (kept.every((term, k) => term === s.operands[k])) return undefined;
  const narrow = inputs.map((x, k) =>
    reshape(
      x,
      x.shape.filter((_, axis) => !broadcast(k, axis)),
    ),
  );
  return einsum(...narrow, { equation: `${kept.join()}->${s.output}` });
}

/** Sums of products by subscripts (numpy.einsum): ellipses, repeated subscripts and implicit outputs included. */
export const einsum = defineOp('Einsum', {
  infer: (inputs, attrs) => {
    const s = subscriptsOf(inputs, attrs);
    return type(
      requireSameDType(...inputs),
      [...s.output].map((l) => sizeOfLetter(s, l)),
    );
  },
  simplify: (inputs, attrs) => {
    const s = subscriptsOf(inputs, attrs);
    if (inputs.length === 1 && s.operands[0] === s.output) return inputs[0];
    return withoutBroadcasts(inputs, s);
  },
  gradient: ({ inputs, attrs, needs }, [dy]) => {
    if (!dy) return [];
    const s = subscriptsOf(inputs, attrs);
    return inputs.map((_, k) => (needs[k] ? operandGradient(inputs, s, dy, k) : null));
  },
});
