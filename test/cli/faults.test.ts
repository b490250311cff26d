/** @file What the command line says of wrong use and wrong data: one line, exit code 1, no stack. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { gradus, here, temporary } from './run.ts';
import { imageFolder, tableText } from './samples.ts';

const folder = await temporary();
const at = (...names: string[]) => join(folder, ...names);

beforeAll(async () => {
  await writeFile(at('t.csv'), tableText(40));
  await imageFolder(at('pictures'), 3);
  await mkdir(at('empty'));
  await mkdir(at('full'));
  await writeFile(at('full', 'thesis.txt'), 'precious');
  await mkdir(at('loose'));
  await writeFile(at('loose', 'a.png'), '');
  await mkdir(at('one', 'only'), { recursive: true });
  await writeFile(at('one', 'only', 'a.png'), '');
  await writeFile(at('short.csv'), 'a,b\n1,2\n3\n');
  await writeFile(at('header.csv'), 'a,b\n');
  await writeFile(at('same.csv'), `a,b\n${'1,x\n'.repeat(9)}`);
  await writeFile(
    at('lying.idx3-ubyte-images'),
    Buffer.from([0, 0, 8, 3, 127, 255, 255, 255, 0, 0, 0, 28, 0, 0, 0, 28]),
  );
  await writeFile(at('lying.idx1-ubyte-labels'), Buffer.from([0, 0, 8, 1, 0, 0, 0, 1, 0]));
  await writeFile(at('bad.onnx'), 'no protobuf at all, just words');
  await writeFile(at('bad.safetensors'), Buffer.from([255, 255, 255, 255, 255, 255, 255, 127, 123]));
  await writeFile(at('wrong.ts'), 'export const model = 1;');
  await writeFile(at('narrow.ts'), "import { nn } from 'gradus'; export default () => new nn.Linear(6, 7);");
  await writeFile(at('syntax.ts'), 'export default class {');
});

/** Arguments, and what the error must say. */
const cases: readonly (readonly [what: string, args: () => string[], message: RegExp])[] = [
  ['no data', () => ['train'], /which data\? Say --data <path>/],
  [
    'an unknown task',
    () => ['train', 'image-clasification', '--data', at('pictures')],
    /unknown task 'image-clasification'\. Did you mean 'image-classification'\? Known: auto,/,
  ],
  ['a path for a task', () => ['train', at('pictures')], /If it is the data you mean, say --data/],
  ['a wrong path', () => ['train', '--data', at('nowhere')], /nowhere: there is no such file or folder/],
  ['an empty folder', () => ['train', '--data', at('empty')], /empty is an empty folder; expected .*<class>\/<image>/],
  ['images without classes', () => ['train', '--data', at('loose')], /holds images but no folder per class/],
  ['one class', () => ['train', '--data', at('one')], /only one class \(only\); a classifier needs two or more/],
  [
    'a table for images',
    () => ['train', 'image-classification', '--data', at('t.csv')],
    /holds a table; for image-classification give/,
  ],
  [
    'images for a table',
    () => ['train', 'table', '--data', at('pictures')],
    /holds images \(image-folder\); the task for them is image-classification/,
  ],
  [
    'no target',
    () => ['train', '--data', at('t.csv')],
    /which column of .* is to be predicted\? Say --target <column>; its columns are: id, size, colour, flag, kind, price/,
  ],
  [
    'a wrong target',
    () => ['train', '--data', at('t.csv'), '--target', 'prize'],
    /has no column 'prize'\. Did you mean 'price'\? Its columns are: id, size/,
  ],
  [
    'a wrong column',
    () => ['train', '--data', at('t.csv'), '--target', 'kind', '--ignore', 'color'],
    /has no column 'color'\. Did you mean 'colour'\?/,
  ],
  [
    'a target that never changes',
    () => ['train', '--data', at('same.csv'), '--target', 'b'],
    /'b' has the same value 'x' in every row/,
  ],
  [
    'a ragged table',
    () => ['train', '--data', at('short.csv'), '--target', 'a'],
    /short\.csv, line 3: expected 2 columns/,
  ],
  ['a table without rows', () => ['train', '--data', at('header.csv'), '--target', 'a'], /header\.csv has no rows/],
  [
    'sizes that lie',
    () => ['train', '--data', at('lying.idx3-ubyte-images')],
    /sizes \[2147483647, 28, 28\] of uint8 need/,
  ],
  [
    'shares that leave nothing',
    () => ['train', '--data', at('t.csv'), '--target', 'kind', '--val', '0.5', '--test', '0.5'],
    /leave nothing to train on/,
  ],
  [
    'an unknown optimiser',
    () => ['train', '--data', at('t.csv'), '--optimizer', 'adamW'],
    /unknown optimizer 'adamW'\. Did you mean 'adamw'\?/,
  ],
  [
    'an unknown augmentation',
    () => ['train', '--data', at('pictures'), '--augment', 'flip,twist'],
    /unknown augmentation 'twist'\. Known: flip, vflip/,
  ],
  [
    'a folder in use',
    () => ['train', '--data', at('t.csv'), '--target', 'kind', '--out', at('full')],
    /holds other files \(thesis\.txt\)/,
  ],
  [
    'a folder in use, to be overwritten',
    () => ['train', '--data', at('t.csv'), '--target', 'kind', '--out', at('full'), '--overwrite'],
    /holds other files \(thesis\.txt\)/,
  ],
  [
    'a file as folder',
    () => ['train', '--data', at('t.csv'), '--target', 'kind', '--out', at('t.csv', 'run')],
    /t\.csv is a file|ENOTDIR/,
  ],
  [
    'a model file that is none',
    () => ['train', '--data', at('t.csv'), '--target', 'kind', '--model', at('t.csv')],
    /expected a TypeScript or JavaScript file/,
  ],
  [
    'a model file without default export',
    () => ['train', '--data', at('t.csv'), '--target', 'kind', '--model', at('wrong.ts')],
    /the default export must be a class that extends nn\.Module, or a function .*no default export \(it exports model\)/,
  ],
  [
    'a model file with an error',
    () => ['train', '--data', at('t.csv'), '--target', 'kind', '--model', at('syntax.ts')],
    /syntax\.ts cannot be loaded/,
  ],
  [
    'a model that does not fit',
    () => ['train', '--data', at('t.csv'), '--target', 'kind', '--ignore', 'price', '--model', at('narrow.ts')],
    /narrow\.ts gives shape \[2, 7\] for a batch of 2; expected \[2, 2\]: one score per class/,
  ],
  ['a run that is none', () => ['evaluate', at('full')], /full is no run: it has no run\.json/],
  ['a resume without run', () => ['train', '--resume', '--out', at('full')], /is no run/],
  ['a damaged ONNX file', () => ['inspect', at('bad.onnx')], /^error: (?!TypeError|RangeError)/],
  ['a damaged safetensors file', () => ['inspect', at('bad.safetensors')], /bad\.safetensors/],
];

/** Those that import a file of the user's, which must not happen in this process. */
const withImport = /^a model (file with|that)/;

describe('errors', () => {
  it.each(cases)('%s', async (name, args, message) => {
    const { code, stdout, stderr } = await (withImport.test(name) ? gradus : here)(args());
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^error: /);
    expect(stderr).not.toMatch(/\n +at /);
    expect(code).toBe(1);
    expect(stdout).not.toContain('epoch');
  });

  it('a folder that cannot be made', async () => {
    const { code, stderr } = await here([
      'train',
      '--data',
      at('t.csv'),
      '--target',
      'kind',
      '--out',
      '/proc/gradus/run',
    ]);
    expect(stderr).toMatch(/--out .* cannot be written to \(E[A-Z]+\); choose a folder you may write to/);
    expect(code).toBe(1);
  });

  it('refuses to train over a finished run', async () => {
    const args = ['train', '--data', at('t.csv'), '--target', 'kind', '-e', '1', '-q', '--out', at('kept')];
    expect((await here(args)).code).toBe(0);
    const again = await here(args);
    expect(again.stderr).toContain('holds a run already. Go on with it: --resume; replace it: --overwrite');
    expect((await here([...args, '--overwrite'])).code).toBe(0);
  });

  it('shows the stack with --debug', async () => {
    const { stderr, code } = await here(['train', '--data', at('nowhere'), '--debug']);
    expect(stderr).toMatch(/UsageError: .*\n +at /);
    expect(code).toBe(1);
  });

  it('tells a class of one sample', async () => {
    await mkdir(at('rare', 'x'), { recursive: true });
    await imageFolder(at('rare'), 4);
    await copyFile(at('rare', 'red', '0.png'), at('rare', 'x', '0.png'));
    const args = ['train', '--data', at('rare'), '-e', '1', '-q', '--out', at('rare-run')];
    const { stderr } = await here(args);
    expect(stderr).toContain('class x has only one sample; nothing can be learnt or judged of it');
    const strict = await here([...args, '--strict', '--overwrite']);
    expect(strict.stderr).toContain('add samples or remove the class');
    expect(strict.code).toBe(1);
  });
});
