/** @file Operators in older operator sets: what the exporter believes of them is true of every golden case. */
import { expect, it } from 'vitest';
import { emittedOpset } from '../../src/compiler/emit.ts';
import { oldestForms } from '../../src/ir/onnx/oldest-forms.ts';
import { meansTheSame, nodeCases } from './opset-cases.ts';

it('every operator means the same in the oldest set that it is written in', async () => {
  const different: string[] = [];
  let compared = 0;
  for (const [op, cases] of nodeCases())
    for (const c of cases) {
      const oldest = oldestForms[op] ?? emittedOpset;
      if (oldest === emittedOpset) continue;
      const same = await meansTheSame(c, oldest);
      if (same !== undefined) compared++;
      if (same === false) different.push(`${c.name} in operator set ${oldest}`);
    }
  expect(different).toEqual([]);
  expect(compared).toBeGreaterThan(400);
}, 60_000);
