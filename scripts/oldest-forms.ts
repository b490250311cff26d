/**
 * @file Writes src/ir/onnx/oldest-forms.ts: the oldest operator set in which ONNX Runtime gives the same results for every
 * golden case of an operator. `tsx -C gradus-source scripts/oldest-forms.ts`
 */
import { writeFileSync } from 'node:fs';
import { emittedOpset } from '../src/compiler/emit.ts';
import { oldestWritten } from '../src/ir/onnx/opsets.ts';
import { meansTheSame, nodeCases } from '../test/ops/opset-cases.ts';

const forms = new Map<string, number>();
for (const [op, cases] of nodeCases()) {
  const run: typeof cases = [];
  for (const c of cases) if ((await meansTheSame(c, emittedOpset)) !== undefined) run.push(c);
  let oldest = emittedOpset;
  search: while (run.length > 0 && oldest > oldestWritten) {
    for (const c of run) if (!(await meansTheSame(c, oldest - 1))) break search;
    oldest--;
  }
  if (run.length > 0) forms.set(op, oldest);
}
const lines = [...forms].sort(([a], [b]) => (a < b ? -1 : 1)).map(([op, opset]) => `  ${op}: ${opset},`);
writeFileSync(
  new URL('../src/ir/onnx/oldest-forms.ts', import.meta.url),
  `/** @file Made by scripts/oldest-forms.ts from the golden cases of operators. */

/** The oldest operator set (${oldestWritten} at least) in which the emitted form of an operator means the same; others need the newest. */
export const oldestForms: Readonly<Record<string, number>> = {
${lines.join('\n')}
};
`,
);
console.log(`${forms.size} operators`);
