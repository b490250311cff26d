/** @file gradus inspect: what a model file, a run or a data set holds. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { detectKind, isMissing } from '../../data/index.ts';
import { inspectOnnx, openSafetensors } from '../../hub/index.ts';
import type { NestedNumbers } from '../../tensor/index.ts';
import { checkExists, detect, extensionOf } from '../data/detect.ts';
import { openImages } from '../data/image-source.ts';
import { countClasses } from '../data/split.ts';
import { columnsOf, readTable } from '../data/tables.ts';
import { describeModel } from '../models.ts';
import { UsageError } from '../problem.ts';
import { isThere, readRun, taskOfRun } from '../run-folder.ts';
import { formatMetric } from '../score.ts';
import { count, formatTable, printable, Terminal } from '../terminal.ts';
import { textTask } from '../text/record.ts';

export interface InspectFlags {
  all?: boolean;
  /** Inputs of an .onnx file that keep one value: `name=value`. */
  fixed?: string[];
  json?: boolean;
  quiet?: boolean;
}

/** What was found: for people as text, for programs as JSON. */
interface Finding {
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

export async function inspect(path: string, flags: InspectFlags): Promise<void> {
  const finding = await look(path, flags, new Terminal(flags));
  process.stdout.write(flags.json ? `${JSON.stringify(finding.json)}\n` : `${finding.text}\n`);
}

async function look(path: string, { all = false, fixed }: InspectFlags, terminal: Terminal): Promise<Finding> {
  const kind = await checkExists(path);
  if (kind === 'folder' && (await isThere(join(path, 'run.json')))) {
    if ((await taskOfRun(path)) !== textTask) return await lookAtRun(path, terminal);
    const { lookAtTextRun } = await import('../text/inspect.ts');
    return await lookAtTextRun(path, terminal);
  }
  if (kind === 'file' && /\.onnx$/i.test(path)) return await lookAtOnnx(path, all, fixed);
  if (fixed) throw new UsageError(`--fixed gives inputs of .onnx files; ${path} is none`);
  if (kind === 'file' && /\.safetensors$/i.test(path)) return await lookAtSafetensors(path, all);
  if (kind === 'file' && /\.(pt|pth|pkl|ckpt)$/i.test(path))
    throw new UsageError(
      `${path} is a pickle file, which can run code when read; convert it in Python: safetensors.torch.save_file(torch.load(path, weights_only=True), 'model.safetensors')`,
    );
  return await lookAtData(path, all);
}

async function lookAtOnnx(path: string, all: boolean, fixed: readonly string[] = []): Promise<Finding> {
  const found = await inspectOnnx(path, { fixed: Object.fromEntries(fixed.map(fixedValue)) });
  const { toString: _, ...json } = found;
  const lines = found.toString().trimEnd().split('\n');
  // Metadata may hold whole documents.
  const text = lines.map((line) => printable(line, all ? Number.POSITIVE_INFINITY : 160)).join('\n');
  return { text, json: { kind: 'onnx', path, ...json } };
}

/** `sr=16000`, `mask=true` or `scales=[1,2]`. */
function fixedValue(text: string): [string, NestedNumbers] {
  const at = text.lastIndexOf('=');
  const parsed = nestedNumbers.safeParse(at > 0 ? jsonOf(text.slice(at + 1)) : undefined);
  if (!parsed.success) throw new UsageError(`--fixed takes name=value with a number or a list, found '${text}'`);
  return [text.slice(0, at), parsed.data];
}

const nestedNumbers: z.ZodType<NestedNumbers> = z.lazy(() =>
  z.union([z.number(), z.boolean().transform(Number), z.array(nestedNumbers)]),
);

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function lookAtSafetensors(path: string, all: boolean): Promise<Finding> {
  const reader = await openSafetensors(path);
  try {
    const tensors = [...reader.entries.values()].map(({ name, type, dtype, shape }) => ({
      name,
      dtype: dtype ?? type,
      shape: [...shape],
    }));
    const elements = tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const shown = all ? tensors : tensors.slice(0, 60);
    const lines = [
      `${path}: ${count(tensors.length, 'tensor')}, ${count(elements, 'element')}`,
      ...Object.entries(reader.metadata).map(([key, value]) => `  ${printable(key)}: ${printable(value)}`),
      formatTable(
        ['tensor', 'dtype', 'shape'],
        shown.map(({ name, dtype, shape }) => [printable(name, 80), dtype, `[${shape.join(', ')}]`]),
      ),
      ...(shown.length < tensors.length ? [`  ... and ${tensors.length - shown.length} more (--all shows them)`] : []),
    ];
    return {
      text: lines.join('\n'),
      json: { kind: 'safetensors', path, metadata: reader.metadata, elements, tensors },
    };
  } finally {
    await reader.close();
  }
}

async function lookAtRun(path: string, terminal: Terminal): Promise<Finding> {
  const record = await readRun(path);
  const { data, options, model, preprocess, results } = record;
  const files = (await readdir(path)).filter((name) => !name.startsWith('.')).sort();
  const input =
    preprocess.kind === 'image'
      ? `images [${preprocess.channels}, ${preprocess.height}, ${preprocess.width}], classes ${printable(preprocess.classes.join(', '), 200)}`
      : `rows of ${data.features} features, target '${printable(String(data.target))}'`;
  const scores = Object.entries(results).map(([part, values]) =>
    typeof values === 'object' && values !== null
      ? `${part}: ${Object.entries(values)
          .map(([name, value]) => `${name} ${typeof value === 'number' ? formatMetric(value) : 'not defined'}`)
          .join(', ')}`
      : `${part}: ${values}`,
  );
  const lines: [string, string][] = [
    ['task', record.task],
    [
      'status',
      `${record.status}${record.status === 'finished' ? '' : `; go on with: npx gradus train --resume --out ${path}`}`,
    ],
    ['data', `${data.path} (${data.train} to train on, ${data.val} for validation, ${data.test} for the test)`],
    ['input', input],
    ['model', `${describeModel(model)}; ${count(record.parameters, 'parameter')}`],
    [
      'training',
      `${record.epochs || '?'} of ${options.epochs} epochs, best ${record.bestEpoch ?? '-'}; batches of ${options.batchSize}, ${options.optimizer}, lr ${options.lr} (${options.schedule}), seed ${options.seed}`,
    ],
    ...scores.map((text): [string, string] => ['result', text]),
    ['made', `${record.created} by gradus ${record.gradus}, Node ${record.node}`],
    ['command', `gradus ${printable(record.command.join(' '), 300)}`],
    ['files', files.join(', ')],
  ];
  const text = lines.map(([name, value]) => `  ${terminal.paint('bold', name.padEnd(9))} ${value}`).join('\n');
  return { text: `${path}\n${text}`, json: { kind: 'run', path, ...record, files } };
}

async function lookAtData(path: string, all: boolean): Promise<Finding> {
  const found = await detect(path);
  if (found.format === 'table') {
    const parts = Object.entries(found.parts);
    const findings = await Promise.all(
      parts.map(async ([part, file]) => ({ part, ...(await lookAtTable(file, all)) })),
    );
    return {
      text: findings.map(({ text }) => text).join('\n\n'),
      json: { kind: 'table', path, parts: Object.fromEntries(findings.map(({ part, json }) => [part, json])) },
    };
  }
  const parts = Object.entries(await openImages(found, path)) as [
    string,
    Awaited<ReturnType<typeof openImages>>['train'],
  ][];
  const { classes } = parts[0][1];
  const counts = parts.map(([, source]) => countClasses(source.labels, classes.length));
  const rows = classes.map((name, c) => [printable(name, 40), ...counts.map((part) => part[c])]);
  const total = parts.map(([part, source]) => `${part} ${source.length.toLocaleString('en-US')}`).join(', ');
  const shown = all ? rows : rows.slice(0, 60);
  const text = [
    `${path}: ${found.format}, ${count(classes.length, 'class', 'classes')}; images: ${total}`,
    formatTable(['class', ...parts.map(([part]) => part)], shown),
    ...(shown.length < rows.length ? [`  ... and ${rows.length - shown.length} more (--all shows them)`] : []),
  ].join('\n');
  const perPart = Object.fromEntries(
    parts.map(([part], p) => [part, Object.fromEntries(classes.map((name, c) => [name, counts[p][c]]))]),
  );
  return { text, json: { kind: 'images', path, format: found.format, classes, parts: perPart } };
}

async function lookAtTable(path: string, all: boolean): Promise<Finding> {
  const rows = await readTable(path);
  const columns = columnsOf(rows).map((name) => {
    const cells = rows.map((row) => row[name]);
    const there = cells.filter((cell) => !isMissing(cell));
    const distinct = [...new Set(there.map(String))];
    const kind = detectKind(cells);
    return {
      name,
      kind: kind === 'ignore' ? 'text' : kind,
      missing: cells.length - there.length,
      different: distinct.length,
      examples: distinct.slice(0, 3),
    };
  });
  const shown = all ? columns : columns.slice(0, 60);
  const table = formatTable(
    ['column', 'kind', 'missing', 'different', 'such as'],
    shown.map((c) => [printable(c.name, 40), c.kind, c.missing, c.different, printable(c.examples.join(', '), 40)]),
  );
  const more =
    shown.length < columns.length ? `\n  ... and ${columns.length - shown.length} more columns (--all shows them)` : '';
  return {
    text: `${path}: ${extensionOf(path).slice(1)}, ${count(rows.length, 'row')}, ${count(columns.length, 'column')}\n${table}${more}`,
    json: { path, rows: rows.length, columns },
  };
}
