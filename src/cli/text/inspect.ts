/** @file gradus inspect for runs of text classifiers. */
import { readdir } from 'node:fs/promises';
import { formatMetric } from '../score.ts';
import { count, printable, type Terminal } from '../terminal.ts';
import { readTextRun } from './record.ts';

/** What a run holds, as text and as JSON. */
export async function lookAtTextRun(path: string, terminal: Terminal) {
  const record = await readTextRun(path);
  const { data, options, classes, results } = record;
  const files = (await readdir(path)).filter((name) => !name.startsWith('.')).sort();
  const scores = Object.entries(results).flatMap(([part, values]) =>
    ['test', 'validation', 'training'].includes(part) && typeof values === 'object' && values !== null
      ? [
          `${part}: ${Object.entries(values)
            .map(([name, value]) => `${name} ${typeof value === 'number' ? formatMetric(value) : 'not defined'}`)
            .join(', ')}`,
        ]
      : [],
  );
  const lines: [string, string][] = [
    ['task', record.task],
    [
      'status',
      `${record.status}${record.status === 'finished' ? '' : `; go on with: npx gradus train --resume --out ${path}`}`,
    ],
    ['data', `${data.path} (${data.train} to train on, ${data.val} for validation, ${data.test} for the test)`],
    ['columns', `texts in '${printable(data.text)}', classes in '${printable(data.label)}'`],
    ['classes', printable(classes.join(', '), 200)],
    [
      'model',
      `${record.model}; ${count(record.parameters, 'parameter')}, ${record.trainable.toLocaleString('en-US')} of them trained`,
    ],
    [
      'training',
      `${record.epochs || '?'} of ${options.epochs} epochs, best ${record.bestEpoch ?? '-'}; at most ${options.maxLength} tokens, batches of ${options.batchSize}${options.accumulate > 1 ? ` x ${options.accumulate}` : ''}, ${options.optimizer}, lr ${options.lr} (${options.schedule}), seed ${options.seed}`,
    ],
    ...scores.map((text): [string, string] => ['result', text]),
    ['made', `${record.created} by gradus ${record.gradus}, Node ${record.node}`],
    ['command', `gradus ${printable(record.command.join(' '), 300)}`],
    ['files', files.join(', ')],
  ];
  const text = lines.map(([name, value]) => `  ${terminal.paint('bold', name.padEnd(9))} ${value}`).join('\n');
  return { text: `${path}\n${text}`, json: { kind: 'run', path, ...record, files } };
}
