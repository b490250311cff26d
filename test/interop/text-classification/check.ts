/** @file Opens a fine-tuned folder in transformers.js, ONNX Runtime and Python's transformers. See the README beside this file. */
import { join, resolve } from 'node:path';
import ort from 'onnxruntime-node';
import { runCli } from '../../../src/cli/run-cli.ts';
import { TextClassifier } from '../../../src/models/index.ts';
import { banking, writeTinyBert } from '../../cli/tiny-bert.ts';
import { byPython, byTransformersJs, compare, inScratch } from '../others.ts';

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

/** What read_folder.py prints. */
interface PythonsWords {
  readonly version: string;
  readonly ids: number[][];
  readonly labels: string[];
  readonly logits: number[][];
}

type Scores = readonly { readonly label: string; readonly score: number }[];

async function tinyRun(folder: string): Promise<string> {
  const [model, out] = [join(folder, 'bert'), join(folder, 'run')];
  await writeTinyBert(model);
  const data = ['--train', banking.train, '--test', banking.test, '--label', 'intent'];
  const options = ['--max-length', '32', '--lr', '3e-3', '--epochs', '4', '--quiet', '--out', out];
  if ((await runCli(['train', 'text-classification', '--model', model, ...data, ...options])) !== 0)
    throw new Error('the training failed');
  return out;
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

await inScratch(async (scratch) => {
  const run = resolve(process.argv[2] || (await tinyRun(scratch)));
  const classifier = await TextClassifier.fromPretrained(run);
  const { tokenizer, maxLength, labels } = classifier;
  const logits = Array.from((await classifier.logits(texts)).data);
  const width = labels.length;
  const scores = await classifier.classify(texts, { topK: width });
  const args = [run, JSON.stringify(texts.slice(0, -1))];
  const theirs = (await byTransformersJs({ script, args, modules: process.argv[3], scratch })) as Scores[];
  const ordered = (list: Scores) => labels.map((label) => list.find((s) => s.label === label)?.score ?? -1);
  compare('scores by transformers.js', scores.slice(0, -1).flatMap(ordered), theirs.flatMap(ordered));
  compare('logits by ONNX Runtime', logits.slice(0, 2 * width), await byOnnxRuntime(run, classifier));
  const found = byPython(join(import.meta.dirname, 'read_folder.py'), [run], texts) as PythonsWords | undefined;
  if (!found) return;
  const ids = tokenizer.encodeBatch(texts, { truncation: true, maxLength }).map(({ inputIds }) => inputIds);
  if (JSON.stringify([ids, labels]) !== JSON.stringify([found.ids, found.labels]))
    throw new Error("Python's transformers has other tokens or labels");
  compare(`logits by Python's transformers ${found.version}`, logits, found.logits.flat());
});
