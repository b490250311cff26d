/** @file Fine-tunes a pretrained Transformer to answer SQuAD's questions, tests it on articles that it has not seen. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import {
  AutoModelForQuestionAnswering,
  AutoTokenizer,
  decayGroups,
  manualSeed,
  optim,
  paddingShare,
  QuestionAnswerer,
  questionLoader,
  type SquadQuestion,
  saveForInference,
  squadQuestions,
  squadScores,
  Trainer,
  tokenizeQuestions,
} from 'gradus';
import { dataFile } from '../data.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    model: { type: 'string', default: 'sentence-transformers/all-MiniLM-L6-v2' },
    out: { type: 'string', default: 'runs/squad' },
    epochs: { type: 'string', default: '2' },
    lr: { type: 'string', default: '2e-4' },
    length: { type: 'string', default: '256' },
    stride: { type: 'string', default: '64' },
    train: { type: 'string', default: '5000' },
    test: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
  },
});
const [epochs, lr, maxLength, stride, seed] = [values.epochs, values.lr, values.length, values.stride, values.seed].map(
  Number,
);
const began = performance.now();
const seconds = () => ((performance.now() - began) / 1000).toFixed(1);

const path = await dataFile(
  {
    name: 'squad/dev-v1.1.json.gz',
    url: 'https://raw.githubusercontent.com/rajpurkar/SQuAD-explorer/master/dataset/dev-v1.1.json',
  },
  values.data,
);
const bytes = await readFile(path);
const json = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString();
const all = squadQuestions(JSON.parse(json), path);

/** Every fifth article is for the test: nothing of its texts is seen in training. */
const titles = [...new Set(all.map(({ title }) => title))];
const isTest = ({ title }: SquadQuestion) => titles.indexOf(title) % 5 === 4;
/** At most `count` questions, spread evenly. */
const some = (questions: readonly SquadQuestion[], count: number) =>
  questions.filter(
    (_, i) => Math.floor(((i + 1) * count) / questions.length) > Math.floor((i * count) / questions.length),
  );
const pick = (questions: readonly SquadQuestion[], count: number) =>
  count < questions.length ? some(questions, count) : questions;
const train = pick(
  all.filter((question) => !isTest(question)),
  Number(values.train),
);
const test = pick(all.filter(isTest), Number(values.test));

const tokenizer = await AutoTokenizer.fromPretrained(values.model, { modelMaxLength: maxLength });
const windows = await tokenizeQuestions(tokenizer, train, { maxLength, stride });
const padding = paddingShare(windows, { batchSize: 16, shuffle: true, seed });
console.log(
  `${titles.length} articles; ${train.length} questions to train on, ${test.length} of other articles to test\n${windows.length} windows of at most ${maxLength} tokens, ${windows.answered} with an answer, ${(100 * padding).toFixed(1)} % padding`,
);

manualSeed(seed);
const model = await AutoModelForQuestionAnswering.fromPretrained(values.model);
const trainer = new Trainer(model, {
  optimizer: optim.adamw(decayGroups(model, 0.01), { lr }),
  schedule: (optimizer, total = 1) =>
    optim.linearWithWarmup(optimizer, { numWarmupSteps: Math.round(total / 10), numTrainingSteps: total }),
  clipNorm: 1,
  seed,
  out: values.out,
  progress: true,
});
await trainer.fit(questionLoader(windows, { batchSize: 16, shuffle: true, seed }), { epochs });
console.log(`trained after ${seconds()} s`);
await saveForInference(model, tokenizer, values.out);

const answerer = await QuestionAnswerer.fromPretrained(values.out);
const answers = (await answerer.answers(test, { stride, maxAnswerLen: 30 })).map(([best]) => best);
const { exactMatch, f1 } = squadScores(
  answers.map(({ answer }) => answer),
  test.map((question) => question.answers.map(({ text }) => text)),
);
for (let i = 0; i < test.length; i += Math.ceil(test.length / 5)) {
  const { question, answers: expected } = test[i];
  console.log(
    `  ${question}\n    ${answers[i].answer} (${answers[i].score.toFixed(2)}); expected: ${expected[0].text}`,
  );
}
console.log(
  `test of ${test.length} questions: exact match ${(100 * exactMatch).toFixed(2)}, F1 ${(100 * f1).toFixed(2)}`,
);
console.log(`kept in ${values.out}/; ${seconds()} s in all`);
