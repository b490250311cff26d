/** @file Opens a folder for question answering in transformers.js, ONNX Runtime and Python's transformers. See the README beside this file. */
import { join, resolve } from 'node:path';
import ort from 'onnxruntime-node';
import { AutoTokenizer } from '../../../src/hub/index.ts';
import {
  AutoModelForQuestionAnswering,
  QuestionAnswerer,
  saveForInference,
  tokenizeQuestions,
} from '../../../src/models/index.ts';
import { manualSeed, type Tensor } from '../../../src/tensor/index.ts';
import { writeTinyBert } from '../../cli/tiny-bert.ts';
import { byPython, byTransformersJs, compare, inScratch } from '../others.ts';

/** The last two are not for transformers.js: it takes no answer with an unknown token, and reads one window only. */
const questions = [
  { question: 'What is new?', context: 'I have not received my new card, but the bank has my money.' },
  { question: 'Where can I get cash?', context: 'At the ATM. Or not, if the card is blocked, naïve café.' },
  { question: 'Where?', context: 'In 東京, by card.' },
  { question: 'When?', context: 'My PIN was changed yesterday. '.repeat(20) },
];

/** Runs in a folder that has transformers.js: answer and score for each question. */
const script = `
import { env, pipeline } from '@huggingface/transformers';
env.allowRemoteModels = false;
const [folder, questions] = process.argv.slice(2);
const answer = await pipeline('question-answering', folder, { dtype: 'fp32' });
const answers = [];
for (const { question, context } of JSON.parse(questions)) answers.push(await answer(question, context));
console.log(JSON.stringify(answers));
`;

/** What read_folder.py prints. */
interface PythonsWords {
  readonly version: string;
  readonly ids: number[][];
  readonly logits: number[];
}

async function tinyRun(folder: string): Promise<string> {
  const [bert, out] = [join(folder, 'bert'), join(folder, 'run')];
  await writeTinyBert(bert, { initializer_range: 0.5 });
  manualSeed(7);
  const tokenizer = await AutoTokenizer.fromPretrained(bert);
  await saveForInference(await AutoModelForQuestionAnswering.fromPretrained(bert), tokenizer, out);
  return out;
}

await inScratch(async (scratch) => {
  const run = resolve(process.argv[2] || (await tinyRun(scratch)));
  const answerer = await QuestionAnswerer.fromPretrained(run);
  const { model, tokenizer, maxLength } = answerer;

  // transformers.js has no bound on the length of answers and does not align them with words.
  const asked = questions.slice(0, 2);
  const answers = await answerer.answers(asked, { maxAnswerLen: maxLength, alignToWords: false });
  const args = [run, JSON.stringify(asked)];
  const theirs = (await byTransformersJs({ script, args, modules: process.argv[3], scratch })) as {
    answer: string;
    score: number;
  }[];
  compare(
    'scores by transformers.js',
    answers.map(([{ score }]) => score),
    theirs.map(({ score }) => score),
  );
  // Its answers are decoded tokens: without capitals, accents and some spaces.
  const plain = (text: string) =>
    text
      .toLowerCase()
      .normalize('NFD')
      .replace(/[\p{M}\s]/gu, '');
  for (const [i, [{ answer }]] of answers.entries())
    if (plain(answer) !== plain(theirs[i].answer))
      throw new Error(`transformers.js answers ${theirs[i].answer}, Gradus ${answer}`);

  const windows = await tokenizeQuestions(tokenizer, questions, { maxLength });
  const rows = Array.from({ length: windows.length }, (_, i) => windows.get(i));
  const logits: number[] = [];
  const others: number[] = [];
  const session = await ort.InferenceSession.create(join(run, 'model.onnx'));
  for (const { inputIds, tokenTypeIds } of rows) {
    const one = (values: ArrayLike<number>) =>
      new ort.Tensor('int64', BigInt64Array.from(Array.from(values, BigInt)), [1, inputIds.length]);
    const all: Record<string, ort.Tensor> = {
      input_ids: one(inputIds),
      attention_mask: one(new Int32Array(inputIds.length).fill(1)),
      token_type_ids: one(tokenTypeIds ?? new Int32Array(inputIds.length)),
    };
    const found = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, all[name]])));
    others.push(...(found.start_logits.data as Float32Array), ...(found.end_logits.data as Float32Array));
    const batch = tokenizer.pad([
      {
        inputIds: [...inputIds],
        attentionMask: [...inputIds].map(() => 1),
        sequenceIds: [],
        ...(tokenTypeIds ? { tokenTypeIds: [...tokenTypeIds] } : {}),
      },
    ]);
    const output = model.forward(...([batch] as never[])) as { startLogits: Tensor; endLogits: Tensor };
    logits.push(...Array.from(await output.startLogits.data()), ...Array.from(await output.endLogits.data()));
  }
  compare('logits by ONNX Runtime', logits, others);

  const reader = join(import.meta.dirname, 'read_folder.py');
  const found = byPython(reader, [run, String(maxLength)], questions) as PythonsWords | undefined;
  if (!found) return;
  if (JSON.stringify(rows.map(({ inputIds }) => [...inputIds])) !== JSON.stringify(found.ids))
    throw new Error("Python's transformers has other tokens or windows");
  compare(`logits by Python's transformers ${found.version}`, logits, found.logits);
});
