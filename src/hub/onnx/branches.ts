/** @file Branches of If: those decided before any input is there are taken; of the others, what decides them. */
import { GradusError } from '../../ir/errors.ts';
import { Value } from '../../ir/graph.ts';
import type { GraphProto, TensorProto } from '../../ir/onnx/proto.ts';
import { findOp } from '../../ops/index.ts';
import { constantFromProto } from './attributes.ts';
import { pruned } from './features.ts';
import { allSteps, type Body, type Step } from './program.ts';
import { Scope, traceBody } from './trace.ts';

/** An If whose condition follows from elements of inputs: nothing that leads through it can train. */
export interface OpenBranch {
  readonly step: Step;
  /** The inputs that decide. */
  readonly inputs: readonly string[];
}

export interface Resolved {
  readonly body: Body;
  readonly open: readonly OpenBranch[];
}

/** More steps than the condition of a branch takes; a file that has more is not searched. */
const maxConditionSteps = 2000;

/**
 * Puts branches that the file and the fixed inputs decide in place of their If. Conditions that follow from sizes of
 * inputs stay, as they are decided for each size.
 */
export function resolveBranches(
  body: Body,
  graph: GraphProto,
  weights: ReadonlyMap<string, TensorProto>,
  fixed: ReadonlyMap<string, Value>,
): Resolved {
  if (!body.steps.some((step) => step.type === 'If')) return { body, open: [] };
  const inputs = graph.input.map(({ name }) => name).filter((name) => !weights.has(name) && !fixed.has(name));
  const resolver = new Resolver(weights, fixed, new Set(inputs));
  for (const name of [...inputs, ...fixed.keys(), ...weights.keys()]) resolver.taken.add(name);
  for (const step of body.steps) for (const name of step.outputs) resolver.taken.add(name);
  return { body: resolver.visit(body, []), open: resolver.open };
}

class Resolver {
  readonly open: OpenBranch[] = [];
  /** Names in use where branches are put. */
  readonly taken = new Set<string>();
  readonly #weights: ReadonlyMap<string, TensorProto>;
  readonly #fixed: ReadonlyMap<string, Value>;
  readonly #inputs: ReadonlySet<string>;

  constructor(
    weights: ReadonlyMap<string, TensorProto>,
    fixed: ReadonlyMap<string, Value>,
    inputs: ReadonlySet<string>,
  ) {
    this.#weights = weights;
    this.#fixed = fixed;
    this.#inputs = inputs;
  }

  /** @param outer steps that come before. */
  visit(body: Body, outer: readonly Step[]): Body {
    const steps: Step[] = [];
    const initializers = [...body.initializers];
    for (const step of body.steps) this.#step(step, outer, steps, initializers);
    return { ...body, steps, initializers };
  }

  #step(step: Step, outer: readonly Step[], steps: Step[], initializers: TensorProto[]): void {
    if (step.type !== 'If' || step.domain !== '') {
      steps.push(step);
      return;
    }
    const before = [...outer, ...steps];
    const { elements, isSized } = this.#dependence(step.inputs[0], before);
    if (elements.length) {
      this.open.push({ step, inputs: elements });
      steps.push(step);
      return;
    }
    const condition = isSized ? undefined : this.#evaluate(step.inputs[0], before, initializers);
    const chosen = step.bodies.get(condition ? 'then_branch' : 'else_branch');
    if (condition === undefined || !chosen || !this.#claim(chosen)) {
      const bodies = new Map([...step.bodies].map(([name, inner]) => [name, this.visit(inner, before)]));
      steps.push({ ...step, bodies });
      return;
    }
    initializers.push(...chosen.initializers);
    for (const inner of chosen.steps) this.#step(inner, outer, steps, initializers);
    for (const [i, output] of step.outputs.entries()) if (output) steps.push(identity(step, chosen.outputs[i], output));
  }

  /** Whether the names of a branch are free outside of it; they are taken then. */
  #claim({ steps, initializers }: Body): boolean {
    const names = [...steps.flatMap((s) => s.outputs), ...initializers.map((t) => t.name)].filter(
      (name) => name !== '',
    );
    // Constants that stand for weights have their names already.
    if (names.some((name) => this.taken.has(name) && !this.#weights.has(name))) return false;
    for (const name of names) this.taken.add(name);
    return true;
  }

  /** Inputs whose elements decide a value, and whether sizes of inputs do. */
  #dependence(name: string, before: readonly Step[]): { elements: string[]; isSized: boolean } {
    const producers = new Map(before.flatMap((step) => step.outputs.map((output) => [output, step] as const)));
    const seen = new Set<string>();
    const elements: string[] = [];
    let isSized = false;
    const queue = [{ name, asSize: false }];
    for (let at = queue.pop(); at; at = queue.pop()) {
      const key = `${at.asSize}|${at.name}`;
      if (!at.name || seen.has(key)) continue;
      seen.add(key);
      if (this.#inputs.has(at.name)) {
        if (at.asSize) isSized = true;
        else elements.push(at.name);
      }
      const step = producers.get(at.name);
      if (!step) continue;
      const asSize = at.asSize || step.type === 'Shape' || step.type === 'Size';
      for (const read of readsOf(step)) queue.push({ name: read, asSize });
    }
    return { elements, isSized };
  }

  #evaluate(name: string, before: readonly Step[], initializers: readonly TensorProto[]): boolean | undefined {
    const fixed = this.#fixed.get(name);
    const weight = this.#weights.get(name);
    try {
      if (fixed?.constant) return Boolean(fixed.constant[0]);
      if (weight) return Boolean(constantFromProto(weight, 'ONNX file').data[0]);
      const body = pruned({ steps: before, outputs: [], initializers: [] }, [name]);
      if (!body || body.steps.length > maxConditionSteps) return undefined;
      const needed = new Set(body.steps.flatMap(readsOf));
      const scope = new Scope();
      for (const [input, value] of this.#fixed) scope.set(input, value);
      for (const tensor of [...this.#weights.values(), ...initializers]) {
        if (!needed.has(tensor.name) || scope.get(tensor.name)) continue;
        const { dtype, shape, data } = constantFromProto(tensor, 'ONNX file');
        scope.set(tensor.name, Value.constant(dtype, shape, data));
      }
      const [value] = traceBody(body, scope, { training: false });
      return value.constant ? Boolean(value.constant[0]) : undefined;
    } catch (error) {
      // What cannot be computed now is reported when the model runs.
      if (error instanceof GradusError) return undefined;
      throw error;
    }
  }
}

/** Names that a step reads, in its bodies too. */
function readsOf(step: Step): string[] {
  const names = [...step.inputs];
  for (const inner of step.bodies.values()) {
    for (const within of allSteps(inner)) names.push(...within.inputs);
    names.push(...inner.outputs);
  }
  return names;
}

function identity({ name, scope }: Step, input: string, output: string): Step {
  const attrs = () => ({});
  const op = findOp('Identity', '');
  return {
    type: 'Identity',
    domain: '',
    name,
    scope,
    inputs: [input],
    outputs: [output],
    op,
    attrs,
    bodies: new Map(),
  };
}
