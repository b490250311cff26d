/**
 * @file The operator cases of test/ops on WebGPU: outputs and gradients. Cases run on the device alone where they can;
 * where an operator has no kernel there, the CPU helps; what WebGPU cannot do at all is listed with its reason.
 */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setDevice } from '../../src/runtime/device.ts';
import { loadGolden } from '../golden/load.ts';
import { differentiate, expectClose, loadCases, type OpCase, operandsOf, outputsOfCase } from '../ops/harness.ts';
import { checkGolden, evaluate } from '../ops/nn-harness.ts';
import { hasWebGpu } from './device.ts';
import { limits, loose } from './limits.ts';

const isThere = await hasWebGpu();
/** Sums run in another order, and SwiftShader's functions are less exact than the CPU's. */
const tolerance = 1e-4;
const tally = { onDevice: 0, withHelp: [] as string[], limited: [] as string[] };

/** Outputs and gradients of a case, all in one program, against the golden values. */
async function checkCase(c: OpCase): Promise<void> {
  const inputs = operandsOf(c);
  const outputs = outputsOfCase(c, inputs).slice(0, c.outputs.length);
  const slopes = c.differentiable ? differentiate(c, inputs, outputs, false).slopes : [];
  const given = slopes.flatMap((g, k) => (g && c.grads ? [{ g, e: c.grads[k] }] : []));
  const found = await evaluate([...outputs, ...given.map(({ g }) => g)]);
  const bound = Math.max(loose.pattern.test(c.name) ? loose.tolerance : tolerance, c.tolerance ?? 0);
  c.outputs.forEach((e, i) => {
    expectClose(found[i], e.data, `output ${i}`, bound);
  });
  given.forEach(({ e }, i) => {
    expectClose(found[outputs.length + i], e.data, `gradient ${i}`, bound);
  });
}

/** Runs a check on the device alone, or else with the CPU's help. */
async function onWebGpu(name: string, check: () => Promise<void>): Promise<void> {
  const limit = limits.find(({ pattern }) => pattern.test(name));
  const failure = await attempt(name, check);
  if (limit) {
    tally.limited.push(name);
    expect(
      failure,
      `${name} is listed as a limit of WebGPU (${limit.reason}), but passes: take it off the list`,
    ).not.toBe(null);
  } else if (failure) throw failure;
}

async function attempt(name: string, check: () => Promise<void>): Promise<unknown> {
  try {
    setDevice('webgpu', { fallback: false });
    await check();
    tally.onDevice++;
    return null;
  } catch (error) {
    if (!(error as Error).message.includes('fallback to CPU')) return error;
  }
  try {
    setDevice('webgpu');
    await check();
    tally.withHelp.push(name);
    return null;
  } catch (error) {
    return error;
  }
}

beforeAll(() => setDevice('webgpu'));
afterAll(() => {
  const help = new Set(tally.withHelp.map((name) => name.split(' ')[0]));
  if (isThere)
    console.log(
      `WebGPU operator cases: ${tally.onDevice} on the device, ${tally.withHelp.length} with help of the CPU (${[...help].join(', ')}), ${tally.limited.length} limits`,
    );
});

describe.runIf(isThere)('WebGPU', () => {
  const families = readdirSync(new URL('../golden/ops', import.meta.url)).map((file) => file.replace(/\.json$/, ''));
  for (const family of families)
    describe(family, () => {
      for (const c of loadCases(family)) if (!c.typesOnly) it(c.name, () => onWebGpu(c.name, () => checkCase(c)));
    });
  describe('neural network operators', () => {
    for (const golden of loadGolden('nn_ops').cases)
      it(golden.name, () => onWebGpu(`${golden.op}: ${golden.name}`, () => checkGolden(golden, tolerance)));
  });
});
