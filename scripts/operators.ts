/** @file Writes docs/operators.md, the table of all operators: `tsx -C gradus-source scripts/operators.ts`. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { OpDefinition } from '../src/ir/graph.ts';
import { allOps } from '../src/ops/index.ts';

const root = new URL('../', import.meta.url);
const golden = new URL('test/golden/', root);

/** Cases of one operator; `run` are those that the engine computes, the others compare types only. */
interface CaseCount {
  all: number;
  run: number;
}

/** Golden cases per operator (`Gelu`, `com.microsoft.Gelu`), over all case files of operators. */
export function casesPerOperator(): Map<string, CaseCount> {
  const counts = new Map<string, CaseCount>();
  const files = readdirSync(new URL('ops/', golden)).map((name) => `ops/${name}`);
  for (const file of [...files, 'nn_ops.json']) {
    const { cases } = JSON.parse(readFileSync(new URL(file, golden), 'utf8')) as {
      cases: { op: string; domain?: string; typesOnly?: boolean }[];
    };
    for (const { op, domain, typesOnly } of cases) {
      const key = domain ? `${domain}.${op}` : op;
      const count = counts.get(key) ?? { all: 0, run: 0 };
      counts.set(key, { all: count.all + 1, run: count.run + (typesOnly ? 0 : 1) });
    }
  }
  return counts;
}

/** The name under which an operator is registered. */
export function operatorKey({ type, domain }: OpDefinition): string {
  return domain ? `${domain}.${type}` : type;
}

/** Operators whose result depends on data or on a body that is not traced: applying one is an error. */
const refused = new Set(['If', 'Loop', 'NonMaxSuppression', 'Scan']);

const gradientOf = ({ gradient }: OpDefinition) => {
  if (typeof gradient === 'function') return 'rule';
  if (gradient === 'decompose') return 'of its parts';
  return gradient === 'zero' ? 'zero' : 'none';
};

const runsAs = (op: OpDefinition, count: CaseCount | undefined) => {
  // ONNX Runtime 1.30 has no kernel for the emitted opset.
  if (refused.has(op.type) || count?.run === 0) return 'nothing';
  if (op.domain === 'gradus' || op.lowered) return 'its parts';
  return op.decompose ? 'kernel or parts' : 'kernel';
};

const domains = [
  ['', 'ONNX', 'Operators of the ONNX standard (domain ai.onnx).'],
  ['com.microsoft', 'ONNX Runtime', 'Fused operators of ONNX Runtime (domain com.microsoft).'],
  ['gradus', 'Internal', 'Composite operators that gradients and layers are made of; they never leave the compiler.'],
] as const;

function table(ops: readonly OpDefinition[], cases: ReadonlyMap<string, CaseCount>): string[] {
  const row = (op: OpDefinition) =>
    `| ${op.type} | ${refused.has(op.type) ? 'refused' : 'yes'} | ${gradientOf(op)} | ${op.fold ? 'yes' : ''} | ${runsAs(op, cases.get(operatorKey(op)))} | ${cases.get(operatorKey(op))?.all ?? ''} |`;
  return [
    '| operator | types | gradient | folds constants | runs as | cases |',
    '| --- | --- | --- | --- | --- | --- |',
    ...ops.map(row).sort((a, b) => (a < b ? -1 : 1)),
  ];
}

/** The page as text. */
export function operatorsPage(): string {
  const cases = casesPerOperator();
  const all = allOps();
  const count = (test: (op: OpDefinition) => boolean) => all.filter(test).length;
  const differentiable = count((op) => op.gradient !== 'zero' && op.gradient !== 'unsupported');
  const total = [...cases.values()].reduce((n, c) => n + c.all, 0);
  const lines = [
    '# Operators',
    '',
    'Made by `scripts/operators.ts` from the definitions in `src/ops` and the cases in `test/golden`; a test fails when this page is stale.',
    '',
    `${all.length} operators: ${count((op) => op.domain === '')} of ONNX, ${count((op) => op.domain === 'com.microsoft')} of ONNX Runtime, ${count((op) => op.domain === 'gradus')} internal.`,
    `${differentiable} have a gradient (${count((op) => typeof op.gradient === 'function')} by a rule of their own, ${count((op) => op.gradient === 'decompose')} through their parts), for ${count((op) => op.gradient === 'zero')} it is zero or the result is discrete, ${count((op) => op.gradient === 'unsupported')} have none: asking for it is an error.`,
    `${total} cases compare types, outputs and gradients with PyTorch and ONNX, and gradients with finite differences.`,
    '',
    '"Runs as": by a kernel of ONNX Runtime on the CPU, or composed of other operators; "or" leaves the choice to the device; "nothing" means that only types are known, for import.',
    '',
  ];
  for (const [domain, title, text] of domains) {
    const ops = all.filter((op) => op.domain === domain);
    lines.push(`## ${title}`, '', text, '', ...table(ops, cases), '');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

/** Where the page is committed. */
export const operatorsFile = new URL('docs/operators.md', root);

if (process.argv[1] === new URL(import.meta.url).pathname) writeFileSync(operatorsFile, operatorsPage());
