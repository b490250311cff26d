/** @file All passes in order: from the traced graph to the graph that is emitted for a device. */
import { type Node, topologicalOrder, type Value } from '../ir/graph.ts';
import { decomposeInternal } from './lower.ts';
import { toBlockedLayout } from './nchwc/pass.ts';
import { rewrite } from './rewrite.ts';
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

/** Every pass keeps meaning; the order matters only for quality. */
export const passes: readonly Pass[] = [
  { name: 'decompose', run: (outputs) => decomposeInternal(outputs, layoutSensitive) },
  { name: 'winograd', run: winograd },
  { name: 'blocked layout', run: blockedLayout },
  { name: 'decompose gradients', run: (outputs) => decomposeInternal(outputs) },
  { name: 'blocked gradients', run: blockedLayout },
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
