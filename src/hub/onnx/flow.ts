/** @file Where gradients can flow in an imported graph: which initializers can be trained, and why the others cannot. */
import { dtypeFromOnnx, isFloat } from '../../ir/dtype.ts';
import type { TensorProto } from '../../ir/onnx/proto.ts';
import type { OpenBranch } from './branches.ts';
import { allSteps, type Body, type Step } from './program.ts';

/** What an initializer is, as a part of a model that is trained. */
export type Role =
  /** Trained by default. */
  | 'parameter'
  /** State that a forward pass in training mode updates: running statistics. */
  | 'statistics'
  /** A number, shape or table that the graph computes with. */
  | 'constant'
  /** Floating point and in use, but no gradient reaches it. */
  | 'blocked';

export interface Verdict {
  readonly role: Role;
  /** Why it is not trained, in words; empty for parameters. */
  readonly reason: string;
  /** Whether its elements must be known while tracing: shapes follow from them. */
  readonly pinned?: boolean;
  /** Operator and node that stop the gradient, and the operators from the output down to it. */
  readonly blockedBy?: { readonly operator: string; readonly node: string; readonly path: string };
}

/** Operands through which gradients flow, where these are not all. */
const differentiable: Readonly<Record<string, readonly number[]>> = {
  Clip: [0],
  Pad: [0],
  Resize: [0],
  Upsample: [0],
  Dropout: [0],
  BatchNormalization: [0, 1, 2],
  OneHot: [2],
  Where: [1, 2],
  QuantizeLinear: [0],
  DequantizeLinear: [0],
  MatMulNBits: [0, 5],
};

/** Operators on quantised numbers, which are rounded: unlike shapes and comparisons they stand where a layer was. */
const quantized = new Set([
  'DynamicQuantizeLinear',
  'MatMulInteger',
  'ConvInteger',
  'QLinearMatMul',
  'QLinearConv',
  'QLinearAdd',
  'QGemm',
]);

/** Operands that must be known while tracing; what they are computed from has to be constant. */
const shapeOperands: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  ConstantOfShape: [0],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  Unsqueeze: [1],
  Pad: [1, 3],
  Resize: [1, 2, 3],
  Upsample: [1],
  Tile: [1],
  TopK: [1],
  OneHot: [1],
  Range: [0, 1, 2],
  CumSum: [1],
  CenterCropPad: [1],
  AffineGrid: [1],
  ReduceSum: [1],
  ReduceMean: [1],
  ReduceMax: [1],
  ReduceMin: [1],
  ReduceProd: [1],
  ReduceL1: [1],
  ReduceL2: [1],
  ReduceLogSum: [1],
  ReduceLogSumExp: [1],
  ReduceSumSquare: [1],
  Compress: [1],
  NonZero: [0],
  Unique: [0],
  Col2Im: [1, 2],
  MaxUnpool: [2],
  Dropout: [1, 2],
  DFT: [1, 2],
  STFT: [1, 3],
  HannWindow: [0],
  HammingWindow: [0],
  BlackmanWindow: [0],
  MelWeightMatrix: [0, 1, 2, 3, 4],
  If: [0],
};

/**
 * Names that exporters give to numbers that occur in the source text of a model. (torch names weights too that it arranged
 * anew, by the operator that reads them.)
 */
const generatedName =
  /^(_?val_\d+|onnx::(?!(Conv|ConvTranspose|Gemm|MatMul|PRelu|RNN)_)|const|_?scalar|_?tensor_|clone|_to_copy|new_|full|arange|lift_fresh|\/.*constant)|^\d+$|constant_\d+_output_0$|_(scale|zero_point)$/i;

interface Stop {
  readonly step: Step;
  /** The output of the step that should have carried the gradient. */
  readonly at: string;
}

/** Traces gradients from the outputs back; bodies of If count as parts of the graph. */
class Flow {
  /** Values that a gradient reaches, and the step through which it comes. */
  readonly reached = new Map<string, Step | null>();
  /** Values whose gradient would have to pass an operator without one. */
  readonly stopped = new Map<string, Stop>();
  /** Values that must be known while tracing, and the step that needs them. */
  readonly pinned = new Map<string, Step>();
  readonly statistics = new Map<string, Step>();
  readonly #open: ReadonlySet<Step>;

  /** @param open steps of If that cannot be decided while tracing. */
  constructor(open: ReadonlySet<Step>) {
    this.#open = open;
  }

  visit(body: Body): void {
    for (let i = body.steps.length - 1; i >= 0; i--) this.#step(body.steps[i]);
  }

  #step(step: Step): void {
    for (const inner of step.bodies.values()) {
      inner.outputs.forEach((name, i) => {
        const isTaken = step.type === 'If' && !this.#open.has(step);
        const after = this.stopped.get(step.outputs[i]);
        if (!isTaken) this.stopped.set(name, { step, at: step.outputs[i] ?? '' });
        else if (this.reached.has(step.outputs[i])) this.#reach(name, step);
        else if (after) this.stopped.set(name, after);
      });
      this.visit(inner);
    }
    this.#pin(step);
    if (step.type === 'BatchNormalization')
      for (const name of step.inputs.slice(3, 5)) if (name) this.statistics.set(name, step);
    const via = step.outputs.find((name) => this.reached.has(name));
    const after = step.outputs.find((name) => this.stopped.has(name));
    if (after !== undefined) {
      const stop = this.stopped.get(after);
      if (stop) for (const name of step.inputs) if (name && !this.stopped.has(name)) this.stopped.set(name, stop);
    }
    if (via === undefined || step.type === 'If') return;
    if (!step.op || step.op.gradient === 'unsupported' || quantized.has(step.type)) {
      for (const name of step.inputs) if (name) this.stopped.set(name, { step, at: via });
      return;
    }
    if (step.op.gradient === 'zero' || !this.#keepsFloat(step)) return;
    const through = differentiable[step.type] ?? step.inputs.keys();
    for (const i of through) if (step.inputs[i]) this.#reach(step.inputs[i], step);
  }

  #reach(name: string, step: Step): void {
    if (!this.reached.has(name)) this.reached.set(name, step);
  }

  #keepsFloat(step: Step): boolean {
    if (step.type !== 'Cast') return true;
    const { to } = step.attrs();
    return typeof to === 'string' && ['float32', 'float64', 'float16', 'bfloat16'].includes(to);
  }

  #pin(step: Step): void {
    for (const i of shapeOperands[step.type] ?? []) if (step.inputs[i]) this.pinned.set(step.inputs[i], step);
    // The shape of a value is known without its elements.
    if (step.type === 'Shape' || step.type === 'Size') return;
    const goal = step.outputs.map((name) => this.pinned.get(name)).find((s) => s !== undefined);
    if (goal) for (const name of step.inputs) if (name && !this.pinned.has(name)) this.pinned.set(name, goal);
  }

  /** `Softmax <- Gather <- TopK`, from an output of the graph down to the step that reads a value. */
  path(name: string): string {
    const names: string[] = [];
    for (let step = this.reached.get(name); step && names.length < 40; step = this.#reader(step))
      names.unshift(step.type);
    return names.join(' <- ');
  }

  #reader(step: Step): Step | null {
    const output = step.outputs.find((name) => this.reached.has(name));
    return output === undefined ? null : (this.reached.get(output) ?? null);
  }
}

/**
 * What each initializer is, by name.
 * @param outputs the outputs that count; gradients start there.
 * @param open branches that nothing decides yet: no gradient passes them.
 */
export function findRoles(
  body: Body,
  outputs: readonly string[],
  weights: ReadonlyMap<string, TensorProto>,
  open: readonly OpenBranch[] = [],
): Map<string, Verdict> {
  const deciding = new Map(open.map(({ step, inputs: names }) => [step, names]));
  const flow = new Flow(new Set(deciding.keys()));
  for (const name of outputs) flow.reached.set(name, null);
  flow.visit(body);
  const read = new Set([...allSteps(body)].flatMap((step) => step.inputs).concat(outputs));
  for (const step of allSteps(body))
    for (const inner of step.bodies.values()) for (const name of inner.outputs) read.add(name);
  return new Map(
    [...weights].map(([name, tensor]) => {
      const found = verdict(name, tensor, flow, deciding);
      const isAside = found.role === 'constant' && !read.has(name);
      return [name, isAside ? { ...found, reason: 'nothing reads it, or only a branch that is not taken' } : found];
    }),
  );
}

function verdict(
  name: string,
  tensor: TensorProto,
  flow: Flow,
  deciding: ReadonlyMap<Step, readonly string[]>,
): Verdict {
  const dtype = dtypeFromOnnx(tensor.dataType);
  const isPinned = flow.pinned.has(name);
  if (!dtype || !isFloat(dtype))
    return {
      pinned: isPinned,
      role: 'constant',
      reason: `holds ${dtype ?? `elements of type ${tensor.dataType}`}, not floating point`,
    };
  const pin = flow.pinned.get(name);
  if (pin) return { role: 'constant', pinned: true, reason: `decides a shape, at ${pin.type} (node '${pin.name}')` };
  const norm = flow.statistics.get(name);
  if (norm) return { role: 'statistics', reason: `running statistics of BatchNormalization (node '${norm.name}')` };
  if (flow.reached.has(name)) {
    const count = tensor.dims.reduce((n, d) => n * d, 1);
    if (count === 1 && generatedName.test(name))
      return { role: 'constant', reason: 'a number of the formula, by its name' };
    if (holdsMask(tensor)) return { role: 'constant', reason: 'holds infinities or the like: a mask' };
    return { role: 'parameter', reason: '' };
  }
  const stop = flow.stopped.get(name);
  if (stop) {
    const { type, name: node } = stop.step;
    const path = [flow.path(stop.at), type].filter((s) => s).join(' <- ');
    const reason = `${obstacle(stop.step, deciding)}; path from the output: ${path}`;
    return { role: 'blocked', reason, blockedBy: { operator: type, node, path } };
  }
  return { role: 'constant', reason: 'no gradient leads to it: the outputs do not depend on it, or only in steps' };
}

/** Why no gradient passes a step, and what helps where something does. */
function obstacle(step: Step, deciding: ReadonlyMap<Step, readonly string[]>): string {
  const inputs = deciding.get(step);
  const named = `operator ${step.type} (node '${step.name}')`;
  if (inputs)
    return `${named} branches on input ${inputs.map((n) => `'${n}'`).join(', ')}, which must be given once: ${fixedOption(inputs)}`;
  if (step.type === 'Loop' || step.type === 'Scan')
    return `${named} runs its body as often as the data says, which cannot be traced; cut the graph before it: { cutAt: name }`;
  if (quantized.has(step.type))
    return `${named} works on rounded integers and has no gradient: train a file of the model in float32 (model.onnx), and quantise that again`;
  return `${named} has no gradient`;
}

/** `{ fixed: { sr: value } }`. */
export function fixedOption(inputs: readonly string[]): string {
  const entries = inputs.map((name) => `${/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)}: value`);
  return `{ fixed: { ${entries.join(', ')} } }`;
}

/** Attention masks are added as -infinity or the lowest number. Tensors that are called weights are not searched. */
function holdsMask({ name, dataType, rawData, dims }: TensorProto): boolean {
  if (dataType !== 1 || !rawData || dims.length < 2 || /weight|bias|kernel|onnx::/i.test(name)) return false;
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  for (let at = 0; at < view.byteLength; at += 4) if (view.getFloat32(at, true) < -1e30) return true;
  return false;
}
