/** @file A small GPT-2 with new weights learns to write like a text, character by character. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  ArrayDataset,
  AutoModelForCausalLM,
  DataLoader,
  decayGroups,
  exportOnnx,
  manualSeed,
  type NDArray,
  OnnxModel,
  optim,
  Trainer,
  tensor,
} from 'gradus';
import { characters, readText, split } from '../char-lm/data.ts';

const { values: given } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string', default: 'runs/shakespeare-gpt' },
    epochs: { type: 'string', default: '4' },
    steps: { type: 'string', default: '500' },
    block: { type: 'string', default: '64' },
    batch: { type: 'string', default: '12' },
    layers: { type: 'string', default: '4' },
    heads: { type: 'string', default: '4' },
    width: { type: 'string', default: '128' },
    lr: { type: 'string', default: '1e-3' },
    dropout: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
  },
});
const { out } = given;
const number = (name: Exclude<keyof typeof given, 'data' | 'out'>) => Number(given[name]);
const [block, batch, steps, epochs, seed] = (['block', 'batch', 'steps', 'epochs', 'seed'] as const).map(number);
const start = performance.now();
const seconds = () => ((performance.now() - start) / 1000).toFixed(1);

const text = await readText(given.data);
const vocabulary = characters(text);
const [train, validation] = split(vocabulary.encode(text));
console.log(`${train.length} characters to train on, ${validation.length} to validate, ${vocabulary.size} different`);

/** A piece of the text; the model predicts every character but the first. */
const piece = (ids: readonly number[], at: number) => {
  const inputIds: NDArray = { data: Float64Array.from(ids.slice(at, at + block)), shape: [block], dtype: 'int64' };
  return { inputIds, labels: inputIds };
};
const range = (count: number) => new ArrayDataset(Array.from({ length: count }, (_, i) => i));
const anywhere = range(steps * batch).map((_, random) => piece(train, random.int(0, train.length - block)));
const everywhere = range(Math.floor(validation.length / block)).map((i) => piece(validation, i * block));

manualSeed(seed);
const dropout = number('dropout');
const model = AutoModelForCausalLM.fromConfig({
  model_type: 'gpt2',
  vocab_size: vocabulary.size,
  n_positions: block,
  n_layer: number('layers'),
  n_head: number('heads'),
  n_embd: number('width'),
  resid_pdrop: dropout,
  embd_pdrop: dropout,
  attn_pdrop: dropout,
  bos_token_id: null,
  eos_token_id: null,
});
console.log(`${model.parameters().reduce((sum, p) => sum + p.numel(), 0)} weights`);

const trainer = new Trainer(model, {
  optimizer: optim.adamw(decayGroups(model, 0.1), { lr: number('lr'), betas: [0.9, 0.99] }),
  schedule: (optimizer, total) =>
    optim.cosineWithWarmup(optimizer, {
      numWarmupSteps: Math.min(100, steps),
      numTrainingSteps: total ?? epochs * steps,
    }),
  clipNorm: 1,
  seed,
  out,
  progress: true,
});
const { bestEpoch } = await trainer.fit(new DataLoader(anywhere, { batchSize: batch, seed }), {
  epochs,
  validation: new DataLoader(everywhere, { batchSize: 64 }),
});
const { loss } = await trainer.evaluate(new DataLoader(everywhere, { batchSize: 64 }));
console.log(
  `epoch ${bestEpoch}: validation ${loss.toFixed(4)} nats, ${(loss / Math.LN2).toFixed(4)} bits per character; ${seconds()} s`,
);

/** Continues a text: the model has `block` positions, so it goes on from the last half of them again and again. */
async function write(prompt: string, length: number): Promise<string> {
  const ids = [...vocabulary.encode(prompt)];
  for (let part = 0; ids.length < length; part++) {
    const known = ids.slice(-block / 2);
    const options = { maxNewTokens: block - known.length, doSample: true, temperature: 0.8, seed: seed + part };
    for await (const id of model.stream(known, options)) ids.push(id);
  }
  return vocabulary.decode(ids.slice(0, length));
}
const sample = await write('ROMEO:', 400);
console.log(`\n${sample}\n`);

await model.savePretrained(out);
await writeFile(join(out, 'vocabulary.json'), JSON.stringify(vocabulary.toJSON()));
await writeFile(join(out, 'sample.txt'), `${sample}\n`);
const path = join(out, 'model.onnx');
const probe = tensor([vocabulary.encode('ROMEO:')], { dtype: 'int64' });
await exportOnnx(model, path, {
  inputs: { inputIds: probe },
  inputNames: ['input_ids'],
  input: ['batch_size', 'sequence_length'],
});
const reloaded = await OnnxModel.load(path);
const next = await reloaded.forward(probe).select(1, 5).argmax(1).item();
const [, expected] = await (await model.generate([vocabulary.encode('ROMEO:')], { maxNewTokens: 1 }))
  .slice(1, 5)
  .data();
console.log(
  `model.onnx, read back, goes on as the model: ${next === expected}; kept in ${out}/; ${seconds()} s in all`,
);
