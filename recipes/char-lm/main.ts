/** @file Learns to write like a text, character by character, with an LSTM or a GRU; reports bits per character; exports. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  ArgumentError,
  compile,
  exportOnnx,
  F,
  loadModel,
  manualSeed,
  noGrad,
  OnnxModel,
  optim,
  rand,
  saveModel,
  type Tensor,
  tensor,
  zeros,
} from 'gradus';
import { lineChart } from 'gradus/plot';
import { characters, pieces, readText, split } from './data.ts';
import { type Cell, CharModel } from './model.ts';

const { values: given } = parseArgs({
  options: {
    cell: { type: 'string', default: 'lstm' },
    data: { type: 'string' },
    out: { type: 'string' },
    epochs: { type: 'string', default: '12' },
    hidden: { type: 'string', default: '256' },
    layers: { type: 'string', default: '2' },
    dropout: { type: 'string', default: '0.25' },
    batch: { type: 'string', default: '64' },
    steps: { type: 'string', default: '100' },
    lr: { type: 'string', default: '0.004' },
    seed: { type: 'string', default: '1' },
  },
});
const cell: Cell = given.cell === 'gru' ? 'gru' : 'lstm';
const out = given.out ?? `runs/char-lm-${cell}`;
const [epochs, hidden, layers, batch, steps] = [given.epochs, given.hidden, given.layers, given.batch, given.steps].map(
  Number,
);
const start = performance.now();
const seconds = () => ((performance.now() - start) / 1000).toFixed(1);

const text = await readText(given.data);
const vocabulary = characters(text);
const [train, validation] = split(vocabulary.encode(text));
// Few long streams: every character but the first ones is predicted from all that came before it.
const streams = Math.min(4, validation.length - 1);
if (train.length <= batch || streams < 1)
  throw new ArgumentError(
    `a text of ${text.length} characters is too short: ${train.length} to train on need a --batch below that, and ${validation.length} for validation must be 2 at least`,
  );
console.log(`${train.length} characters to train on, ${validation.length} to validate, ${vocabulary.size} different`);

manualSeed(Number(given.seed));
const options = { cell, vocabulary: vocabulary.size, hidden, layers, dropout: Number(given.dropout) };
const model = new CharModel(options);
const weights = model.parameters().reduce((sum, p) => sum + p.numel(), 0);
console.log(`${cell}, ${layers} x ${hidden}: ${weights} weights`);

const optimizer = optim.adamw(model.parameters(), { lr: Number(given.lr), weightDecay: 0.01 });
const perEpoch = [...pieces(train, batch, steps)].length;
const schedule = optim.oneCycleLR(optimizer, { maxLr: Number(given.lr), totalSteps: epochs * perEpoch, pctStart: 0.1 });

/** Cross entropy of one piece; the state comes in and goes out, the gradient ends at its borders (truncated backpropagation). */
const loss = (x: Tensor, y: Tensor, state: Tensor[]) => {
  const [logits, ...after] = model.forward(x, ...state);
  return { loss: F.crossEntropy(logits.flatten(0, 1), y.flatten()), after: after.map((s) => s.detach()) };
};
const trainStep = compile(async (x: Tensor, y: Tensor, ...state: Tensor[]) => {
  optimizer.zeroGrad();
  const result = loss(x, y, state);
  result.loss.backward();
  optim.clipGradNorm(model.parameters(), 1);
  await optimizer.step();
  return [result.loss, ...result.after];
});
const evaluationStep = compile((x: Tensor, y: Tensor, ...state: Tensor[]) =>
  noGrad(() => {
    const result = loss(x, y, state);
    return [result.loss, ...result.after];
  }),
);

/** Mean cross entropy in nats per character over a text. */
async function pass(ids: readonly number[], rows: number, step: typeof trainStep, after = () => {}): Promise<number> {
  let state = model.start(rows);
  let [sum, count] = [0, 0];
  for (const { x, y } of pieces(ids, rows, steps)) {
    const [nats, ...next] = await step(x, y, ...state);
    state = next;
    sum += (await nats.item()) * x.numel();
    count += x.numel();
    after();
  }
  return sum / count;
}

const history: { train: number; validation: number }[] = [];
for (let epoch = 1; epoch <= epochs; epoch++) {
  model.train();
  const trained = await pass(train, batch, trainStep, () => schedule.step());
  model.eval();
  const validated = await pass(validation, streams, evaluationStep);
  history.push({ train: trained / Math.LN2, validation: validated / Math.LN2 });
  const isBest = history.every((h) => h.validation >= validated / Math.LN2);
  if (isBest) await saveModel(model, out, { config: { ...options, characters: vocabulary.toJSON() } });
  console.log(
    `epoch ${epoch}: ${(trained / Math.LN2).toFixed(4)} bits per character, validation ${(validated / Math.LN2).toFixed(4)} (${validated.toFixed(4)} nats)${isBest ? ', best' : ''}; ${seconds()} s`,
  );
}

await loadModel(model, out);
model.eval();
const best = await pass(validation, streams, evaluationStep);
console.log(`best: ${(best / Math.LN2).toFixed(4)} bits per character, ${best.toFixed(4)} nats`);

/** Gumbel-max: the largest of logits / temperature + noise is a sample of their softmax. */
const sampleStep = compile((x: Tensor, temperature: Tensor, uniform: Tensor, ...state: Tensor[]) =>
  noGrad(() => {
    const [logits, ...after] = model.forward(x, ...state);
    const last = logits
      .slice(1, -1)
      .squeeze(1)
      .narrow(1, 1, vocabulary.size - 1);
    const noise = uniform.clamp({ min: 1e-9 }).log().neg().log().neg();
    return [last.div(temperature).add(noise).argmax(1).add(1).unsqueeze(1), ...after];
  }),
);
async function write(prompt: string, length: number, temperature: number): Promise<string> {
  let state = model.start(1);
  let x = tensor([vocabulary.encode(prompt || '\n')], { dtype: 'int64' });
  const written: number[] = [];
  for (let i = 0; i < length; i++) {
    [x, ...state] = await sampleStep(x, tensor(temperature), rand([1, vocabulary.size - 1]), ...state);
    written.push(await x.item());
  }
  return prompt + vocabulary.decode(written);
}
const sample = await write('ROMEO:', 400, 0.7);
console.log(`\n${sample}\n`);

await mkdir(out, { recursive: true });
await writeFile(join(out, 'sample.txt'), `${sample}\n`);
const series = (['train', 'validation'] as const).map((name) => ({ name, y: history.map((h) => h[name]) }));
const chart = lineChart({ title: `${cell.toUpperCase()}, bits per character`, xLabel: 'epoch', series });
await writeFile(join(out, 'curves.svg'), chart);

const states = cell === 'lstm' ? ['h', 'c'] : ['h'];
const path = join(out, 'model.onnx');
await exportOnnx(model, path, {
  inputs: [zeros([1, 3], { dtype: 'int64' }), ...model.start(1)],
  inputNames: ['characters', ...states],
  outputNames: ['logits', ...states.map((s) => `${s}_next`)],
  dynamicAxes: { characters: ['batch', 'steps'], ...Object.fromEntries(states.map((s) => [s, [null, 'batch']])) },
});
const reloaded = await OnnxModel.load(path);
const probe = tensor([vocabulary.encode('ROMEO:')], { dtype: 'int64' });
const [expected] = model.forward(probe, ...model.start(1));
const difference = await reloaded
  .forward(probe, ...model.start(1))
  .sub(expected)
  .abs()
  .max()
  .item();
console.log(
  `model.onnx, read back, differs by ${difference.toExponential(1)} at most; kept in ${out}/; ${seconds()} s in all`,
);
