/** @file Opens a fine-tuned folder in transformers.js, ONNX Runtime and Python's transformers. See the README beside this file. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ort from 'onnxruntime-node';
import { runCli } from '../../../src/cli/run-cli.ts';
import { TextClassifier } from '../../../src/models/index.ts';
import { banking, writeTinyBert } from '../../cli/tiny-bert.ts';

/** The last one is cut: there transformers.js drops the closing [SEP], which Python's transformers and Gradus keep. */
const texts = [
  'A slow start, but the last hour is magnificent.',
  'I forgot my passcode!',
  '',
  'Quel café: 東京 naïve',
  'dull and far too long '.repeat(200),
];

/** Runs in a folder that has transformers.js: scores of all labels for each text. */
const script = `
import { env, pipeline } from '@huggingface/transformers';
env.allowRemoteModels = false;
const [folder, texts] = process.argv.slice(2);
const classify = await pipeline('text-classification', folder, { dtype: 'fp32' });
console.log(JSON.stringify(await classify(JSON.parse(texts), { top_k: null })));
`;

type Scores = readonly { readonly label: string; readonly score: number }[];

/** @throws Error where numbers differ by more than single precision explains. */
function compare(what: string, expected: readonly number[], found: readonly number[]): void {
  const worst = Math.max(...expected.map((v, i) => Math.abs(v - found[i])));
  if (!(worst < 1e-4) || expected.length !== found.length) throw new Error(`${what} differs by up to ${worst}`);
  console.log(`ok   ${what}: ${expected.length} numbers differ by at most ${worst.toExponential(1)}`);
}

async function tinyRun(folder: string): Promise<string> {
  const [model, out] = [join(folder, 'bert'), join(folder, 'run')];
  await writeTinyBert(model);
  const data = ['--train', banking.train, '--test', banking.test, '--label', 'intent'];
  const options = ['--max-length', '32', '--lr', '3e-3', '--epochs', '4', '--quiet', '--out', out];
  if ((await runCli(['train', 'text-classification', '--model', model, ...data, ...options])) !== 0)
    throw new Error('the training failed');
  return out;
}

function byTransformersJs(folder: string, modules: string): Scores[] {
  const args = [join(modules, 'check.mjs'), folder, JSON.stringify(texts.slice(0, -1))];
  const out = execFileSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return JSON.parse(out.toString());
}

/** Logits of the first two texts, which are of different length, by ONNX Runtime alone. */
async function byOnnxRuntime(folder: string, { tokenizer, maxLength }: TextClassifier): Promise<number[]> {
  const session = await ort.InferenceSession.create(join(folder, 'model.onnx'));
  const rows = tokenizer.encodeBatch(texts.slice(0, 2), { truncation: true, maxLength });
  const length = Math.max(...rows.map(({ inputIds }) => inputIds.length)) + 3;
  const column = (pick: (row: (typeof rows)[number]) => readonly number[], padding: number) => {
    const ids = rows.flatMap((row) => Array.from({ length }, (_, i) => BigInt(pick(row)[i] ?? padding)));
    return new ort.Tensor('int64', BigInt64Array.from(ids), [rows.length, length]);
  };
  const all: Record<string, ort.Tensor> = {
    input_ids: column(({ inputIds }) => inputIds, tokenizer.padTokenId ?? 0),
    attention_mask: column(({ attentionMask }) => attentionMask, 0),
    token_type_ids: column(({ tokenTypeIds = [] }) => tokenTypeIds, 0),
  };
  const feeds = Object.fromEntries(session.inputNames.map((name) => [name, all[name]]));
  return Array.from((await session.run(feeds)).logits.data as Float32Array);
}

const scratch = await mkdtemp(join(tmpdir(), 'gradus-text-'));
try {
  const run = resolve(process.argv[2] || (await tinyRun(scratch)));
  const modules = process.argv[3] ?? scratch;
  if (!process.argv[3]) {
    const options = ['--ignore-scripts', '--no-audit', '--no-fund'];
    execFileSync('npm', ['install', '--prefix', modules, ...options, '@huggingface/transformers@4'], {
      stdio: 'inherit',
    });
  }
  const classifier = await TextClassifier.fromPretrained(run);
  const own = await classifier.logits(texts);
  const logits = Array.from(own.data);
  const width = classifier.labels.length;
  await writeFile(join(modules, 'check.mjs'), script);
  const scores = await classifier.classify(texts, { topK: width });
  const theirs = byTransformersJs(run, modules);
  const ordered = (list: Scores) => classifier.labels.map((label) => list.find((s) => s.label === label)?.score ?? -1);
  compare('scores by transformers.js', scores.slice(0, -1).flatMap(ordered), theirs.flatMap(ordered));
  compare('logits by ONNX Runtime', logits.slice(0, 2 * width), await byOnnxRuntime(run, classifier));
  const python = process.env.GRADUS_PYTHON;
  if (python) {
    const out = execFileSync(python, [join(import.meta.dirname, 'read_folder.py'), run], {
      input: JSON.stringify(texts),
      maxBuffer: 1 << 28,
    });
    const found = JSON.parse(out.toString());
    const { tokenizer, maxLength } = classifier;
    const ids = tokenizer.encodeBatch(texts, { truncation: true, maxLength }).map(({ inputIds }) => inputIds);
    if (JSON.stringify([ids, classifier.labels]) !== JSON.stringify([found.ids, found.labels]))
      throw new Error("Python's transformers has other tokens or labels");
    compare(`logits by Python's transformers ${found.version}`, logits, found.logits.flat());
  } else console.log("     Python's transformers was left out: GRADUS_PYTHON names no Python");
} finally {
  await rm(scratch, { recursive: true });
}
