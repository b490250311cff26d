/** @file All passes in order: from the traced graph to the graph that is emitted for a device. */
import { type Node, topologicalOrder, type Value } from '../ir/graph.ts';
import { emittedOpset } from './emit.ts';
import { decomposeInternal } from './lower.ts';
import { toBlockedLayout } from './nchwc/pass.ts';
import { poolSlopes } from './pool-slopes.ts';
import { rewrite } from './rewrite.ts';
import { toInt32, webGpuInput } from './webgpu/integers.ts';
import { toWebGpuOperators } from './webgpu/operators.ts';
import { toWinograd } from './winograd/pass.ts';

export interface CompiledGraph {
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
}

export interface Target {
  /** 'cpu', 'wasm', 'webgpu', ... */
  readonly device: string;
  /** Channels per block of the engine's blocked layout, or 0 if it has none. */
  readonly channelBlock: number;
}

interface Pass {
  readonly name: string;
  run(outputs: readonly Value[], target: Target): Value[];
}

/** Internal operators that the blocked layout has forms of its own for. */
const layoutSensitive = new Set(['ConvGradInput', 'ConvGradWeight', 'MaxPoolGrad']);
const blockedLayout = (outputs: readonly Value[], { channelBlock }: Target) =>
  channelBlock ? toBlockedLayout(outputs, channelBlock) : [...outputs];

const winograd = (outputs: readonly Value[], { channelBlock }: Target) =>
  channelBlock ? toWinograd(outputs, channelBlock) : [...outputs];

const onlyOn =
  (device: string, pass: (outputs: readonly Value[]) => Value[]) =>
  (outputs: readonly Value[], target: Target): Value[] =>
    target.device === device ? pass(outputs) : [...outputs];

/** The input of a program for `target` that stands for an input of the graph. */
export function programInput(value: Value, target: Target): Value {
  return target.device === 'webgpu' ? webGpuInput(value) : value;
}

/** Operators that came after the opset up to which the WebGPU provider has kernels: programs with them need a newer one. */
const recent: ReadonlySet<string> = new Set(['Attention', 'BitCast', 'CumProd', 'RMSNormalization', 'RotaryEmbedding']);

/** The opset that a program is written in: the newest, or the one that the device has most kernels for. */
export function opsetFor({ nodes }: CompiledGraph, target: Target): number {
  const isOld = target.device === 'webgpu' && !nodes.some(({ op }) => recent.has(op.type));
  return isOld ? 21 : emittedOpset;
}

/** Every pass keeps meaning; the order matters only for quality. */
export const passes: readonly Pass[] = [
  { name: 'decompose', run: (outputs) => decomposeInternal(outputs, layoutSensitive) },
  { name: 'pool slopes', run: poolSlopes },
  { name: 'winograd', run: winograd },
  { name: 'blocked layout', run: blockedLayout },
  { name: 'decompose gradients', run: (outputs) => decomposeInternal(outputs) },
  { name: 'blocked gradients', run: blockedLayout },
  { name: 'webgpu operators', run: onlyOn('webgpu', (outputs) => decomposeInternal(toWebGpuOperators(outputs))) },
  { name: 'webgpu integers', run: onlyOn('webgpu', toInt32) },
  // Decompositions of several nodes may have come to share parts.
  { name: 'merge', run: (outputs) => rewrite(outputs, () => undefined) },
];

/**
 * Cuts the graph at values that are already there (`resolve`), then runs all passes. `trace` sees the graph after each.
 */
export function compileGraph(
  outputs: readonly Value[],
  target: Target,
  resolve: (value: Value) => Value,
  trace?: (pass: string, outputs: readonly Value[]) => void,
): CompiledGraph {
  let current: readonly Value[] = rewrite(outputs, () => undefined, resolve);
  for (const pass of passes) {
    current = pass.run(current, target);
    trace?.(pass.name, current);
  }
  return { nodes: topologicalOrder(current), outputs: current };
}

/** Whether any convolution occurs, so that the blocked layout matters at all. */
export function hasConvolution(outputs: readonly Value[], resolve: (value: Value) => Value): boolean {
  const order = topologicalOrder(outputs.map(resolve), (v) => resolve(v) !== v);
  return order.some(({ op }) => op.type === 'Conv' || op.type === 'ConvTranspose' || op.type.startsWith('ConvGrad'));
}
