/** @file Names of modules in a graph: exporters rename and transpose weights, but tell elsewhere where they come from. */
import type { NodeProto, TensorProto } from '../../ir/onnx/proto.ts';
import type { Body, Step } from './program.ts';

/** PyTorch's dynamo exporter: a Python list of nested module names, the node's own last. */
const scopesKey = 'pkg.torch.onnx.name_scopes';

/**
 * The module that a node comes from: by the dynamo exporter's metadata, or by the TorchScript exporter's node names
 * (`/encoder/layer.0/attention/self/query/MatMul`).
 */
export function scopeOf({ name, metadataProps }: NodeProto): string | undefined {
  const scopes = metadataProps?.find(({ key }) => key === scopesKey)?.value;
  if (scopes) {
    const names = [...scopes.matchAll(/'([^']*)'/g)].map(([, part]) => part);
    return names.at(-2) || undefined;
  }
  if (!name.startsWith('/')) return undefined;
  const parts = name.split('/').slice(1, -1);
  // A child of a Sequential carries its parent's name: `/layer1/layer1.0/conv1`.
  const own = parts.filter((part, i) => !parts[i + 1]?.startsWith(`${part}.`));
  return own.join('.') || undefined;
}

/** Suffixes of weights in the files of PyTorch, Keras and Paddle. */
const weightSuffix = /[./](weight|kernel|kernel:0|w_0|w)$|_(weight|kernel)$/;
const biasSuffix = /[./](bias|bias:0|b_0|b)$|_bias$/;
/** Names that exporters make up. */
const generated = /^(onnx::|_?val_\d|_to_copy|t_\d|transpose|permute|\d+$|gradus:)/i;

/** A matrix that inputs are multiplied by. */
export interface LinearUse {
  /** Dotted name of the layer. */
  readonly name: string;
  /** The initializer's name. */
  readonly weight: string;
  /** Whether it is [in, out] instead of [out, in]. */
  readonly transposed: boolean;
  /** The products: outputs of MatMul and Gemm nodes (several where layers share a weight). */
  readonly steps: readonly Step[];
}

/** Steps by the values that they read. */
function readersOf(body: Body, into = new Map<string, Step[]>()): Map<string, Step[]> {
  for (const step of body.steps) {
    for (const name of new Set(step.inputs)) {
      const list = into.get(name);
      if (list) list.push(step);
      else if (name) into.set(name, [step]);
    }
    for (const inner of step.bodies.values()) readersOf(inner, into);
  }
  return into;
}

/** The linear layers of a graph: MatMul and Gemm by a matrix of the file, perhaps through a Transpose. */
export function findLinears(body: Body, weights: ReadonlyMap<string, TensorProto>): LinearUse[] {
  const readers = readersOf(body);
  const found: LinearUse[] = [];
  const taken = new Set<string>();
  for (const [weight, tensor] of weights) {
    if (tensor.dims.length !== 2) continue;
    for (const isTurned of [false, true]) {
      const names = isTurned ? turned(weight, readers) : [weight];
      const products = names.flatMap((name) => (readers.get(name) ?? []).filter((step) => isProduct(step, name)));
      const kinds = new Set(products.map((step) => isTransposed(step) !== isTurned));
      const [transposed] = kinds;
      if (kinds.size !== 1) continue;
      const base = layerName(weight, products, readers);
      const name = taken.has(base) ? `${base}.${weight}` : base;
      if (taken.has(name)) continue;
      taken.add(name);
      found.push({ name, weight, transposed, steps: products });
      break;
    }
  }
  return found;
}

function turned(weight: string, readers: ReadonlyMap<string, Step[]>): string[] {
  return (readers.get(weight) ?? []).flatMap((step) => {
    if (step.type !== 'Transpose' || step.domain !== '') return [];
    const { perm } = step.attrs();
    const isSwap = perm === undefined || (Array.isArray(perm) && perm.join() === '1,0');
    return isSwap ? [step.outputs[0]] : [];
  });
}

function isProduct({ type, domain, inputs, attrs }: Step, name: string): boolean {
  if (domain !== '' || inputs[1] !== name || inputs[0] === name) return false;
  if (type === 'MatMul') return true;
  if (type !== 'Gemm') return false;
  const { alpha = 1, transA = 0 } = attrs();
  return alpha === 1 && transA === 0;
}

const isTransposed = ({ type, attrs }: Step) => type === 'MatMul' || attrs().transB !== 1;

/** By the weight's own name, by what the exporter says of the node, or by the name of the bias that is added. */
function layerName(weight: string, products: readonly Step[], readers: ReadonlyMap<string, Step[]>): string {
  if (weightSuffix.test(weight) && !generated.test(weight)) return weight.replace(weightSuffix, '');
  const [step] = products;
  if (step.scope) return step.scope;
  const added = (readers.get(step.outputs[0]) ?? []).filter((s) => s.type === 'Add').flatMap((s) => s.inputs);
  const bias = [...step.inputs.slice(2), ...added].find((name) => biasSuffix.test(name) && !generated.test(name));
  return bias ? bias.replace(biasSuffix, '') : weight;
}

/**
 * Names under which initializers are known to people, where the file gives them none: `onnx::MatMul_373` is
 * `encoder.layer.0.attention.self.query.weight`.
 */
export function findAliases(
  body: Body,
  weights: ReadonlyMap<string, TensorProto>,
  linears: readonly LinearUse[],
): Map<string, string> {
  const aliases = new Map<string, string>();
  for (const { name, weight } of linears) {
    const alias = `${name}.weight`;
    if (name !== weight && alias !== weight && generated.test(weight)) aliases.set(weight, alias);
  }
  const readers = readersOf(body);
  for (const [name, tensor] of weights) {
    if (aliases.has(name) || !generated.test(name)) continue;
    const step = readers.get(name)?.find((s) => s.scope);
    if (step) aliases.set(name, `${step.scope}.${roleName(step, name, tensor)}`);
  }
  return aliases;
}

/** What a layer calls an operand. */
function roleName({ type, inputs }: Step, name: string, { dims }: TensorProto): string {
  if (['LSTM', 'GRU', 'RNN'].includes(type))
    return ['x', 'weight_ih', 'weight_hh', 'bias'][inputs.indexOf(name)] ?? name;
  return dims.length === 1 ? 'bias' : 'weight';
}
