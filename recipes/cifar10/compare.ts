/** @file The first steps of training without augmentation, kept for compare.py, which repeats them in PyTorch. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compile, F, manualSeed, optim, saveModel, type Tensor, tensor, vgg16, vgg16Bn } from 'gradus';
import { findCifar, mean, readPart, std } from './data.ts';

const { values: given } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string', default: 'runs/cifar10-compare' },
    network: { type: 'string', default: 'vgg16Bn' },
    steps: { type: 'string', default: '40' },
    batch: { type: 'string', default: '32' },
  },
});
const [steps, batch] = [given.steps, given.batch].map(Number);
const source = await findCifar(given.data);
const { images, labels } = await readPart(source, 'train');

manualSeed(1);
// Dropout draws its own random numbers in each framework: without it both train the same.
const options = { numClasses: 10, hidden: 512, pooled: 1, dropout: 0 };
const model = given.network === 'vgg16' ? vgg16(options) : vgg16Bn(options);
await mkdir(given.out, { recursive: true });
await saveModel(model, given.out);
const optimizer = optim.adam(model.parameters(), { lr: 1e-4 });
const step = compile(async (x: Tensor, y: Tensor) => {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(model.forward(x), y);
  loss.backward();
  await optimizer.step();
  return { loss };
});

const size = 3 * 32 * 32;
const losses: number[] = [];
const start = performance.now();
for (let i = 0; i < steps; i++) {
  const pixels = new Float32Array(batch * size);
  for (let j = 0; j < pixels.length; j++) {
    const channel = Math.floor((j % size) / 1024);
    pixels[j] = (images.data[i * pixels.length + j] / 255 - mean[channel]) / std[channel];
  }
  const x = tensor(pixels, { shape: [batch, 3, 32, 32] });
  const y = tensor(Array.from(labels.data.slice(i * batch, (i + 1) * batch)), { dtype: 'int64' });
  losses.push(await (await step(x, y)).loss.item());
}
const seconds = (performance.now() - start) / 1000;
const record = { network: given.network, source, batch, mean, std, losses, seconds };
await writeFile(join(given.out, 'steps.json'), `${JSON.stringify(record, null, 1)}\n`);
console.log(`${steps} steps in ${seconds.toFixed(1)} s, loss ${losses[0].toFixed(4)} to ${losses.at(-1)?.toFixed(4)}`);
console.log(`now: python recipes/cifar10/compare.py ${given.out}`);
