/** @file Images from the command line: train, evaluate, predict, inspect on every format. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { gradus, here, temporary } from './run.ts';
import { cifarFolder, idxFolder, imageFolder } from './samples.ts';

const folder = await temporary();
const pictures = join(folder, 'pictures');
const run = join(folder, 'run');

beforeAll(async () => {
  await imageFolder(pictures, 20);
  await writeFile(join(pictures, 'red', 'broken.png'), 'no image');
});

describe('a folder of images', () => {
  it('trains, leaves unreadable images out, and keeps everything', async () => {
    const { code, stdout, stderr } = await gradus(['train', '--data', pictures, '--out', run, '-e', '3', '--augment']);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('41 images, colour, 12 x 12, 14 x 14, 16 x 16 pixels');
    expect(stdout).toContain('task: image-classification (decided by the data)');
    expect(stdout).toMatch(/blue +16 +2 +2\n/);
    expect(stdout).toContain('augmentation flip, crop');
    expect(stdout).toMatch(/epoch 3\/3: loss .* val_accuracy 1/);
    expect(stdout).toMatch(/accuracy 1\.0000/);
    expect(stdout).toContain(`gradus predict ${run} <image or folder>`);
    expect(stderr).toMatch(/1 image cannot be read and is left out[\s\S]*broken\.png: no readable image/);
    const kept = await readdir(run);
    for (const name of [
      'run.json',
      'model.safetensors',
      'model.onnx',
      'metrics.jsonl',
      'report.svg',
      'checkpoints',
      'best',
    ])
      expect(kept).toContain(name);
    expect(kept.some((name) => name.startsWith('events.out.tfevents'))).toBe(true);
    const record = JSON.parse(await readFile(join(run, 'run.json'), 'utf8'));
    expect(record).toMatchObject({ status: 'finished', task: 'image-classification', epochs: 3 });
    expect(record.preprocess).toMatchObject({ classes: ['blue', 'red'], channels: 3 });
    expect(record.preprocess.mean).toHaveLength(3);
  });

  it('evaluates on its held-out part and on other data', async () => {
    const own = await here(['evaluate', run, '--json']);
    expect(own.code, own.stderr).toBe(0);
    expect(JSON.parse(own.stdout)).toMatchObject({ samples: 4, metrics: { accuracy: 1 } });
    expect(own.stderr).toContain('the test part of');
    const more = join(folder, 'more');
    await imageFolder(more, 6, 7);
    const other = await here(['evaluate', run, '--data', more]);
    expect(other.stdout).toMatch(/12 samples[\s\S]*accuracy 1\.0000[\s\S]*actual \\ predicted \| blue {2}red/);
  });

  it('predicts files and folders, as table, JSON lines and CSV', async () => {
    const file = join(pictures, 'blue', '1.png');
    const table = await gradus(['predict', run, file, join(pictures, 'red')]);
    expect(table.code, table.stderr).toBe(0);
    expect(table.stdout.trimEnd().split('\n')).toHaveLength(22);
    expect(table.stdout).toMatch(/1\.png +blue +0\.\d+|1\.png +blue +1\.000/);
    const json = await here(['predict', run, file, '--json', '--top', '1']);
    const answer = JSON.parse(json.stdout);
    expect(answer).toMatchObject({ input: file, prediction: 'blue', top: [{ class: 'blue' }] });
    const csv = join(folder, 'answers.csv');
    await here(['predict', run, file, '--out', csv]);
    expect(await readFile(csv, 'utf8')).toMatch(/^input,prediction,probability\n.*1\.png,blue,[01]\.\d{6}\n$/);
  });

  it('inspects run, ONNX file, safetensors file and data', async () => {
    const summary = await here(['inspect', run]);
    expect(summary.stdout).toMatch(/task +image-classification\n.*status +finished/);
    const onnx = await here(['inspect', join(run, 'model.onnx')]);
    expect(onnx.stdout).toMatch(/input +float32 \[batch, 3, 12, 12\][\s\S]*logits +float32 \[batch, 2\][\s\S]*Conv/);
    expect(onnx.stdout).toMatch(/trains: .*\n(?: {2}.*\n)* +convs\.0\.weight/);
    const weights = await here(['inspect', join(run, 'model.safetensors'), '--json']);
    expect(JSON.parse(weights.stdout).tensors).toContainEqual({ name: 'head.bias', dtype: 'float32', shape: [2] });
    const data = await here(['inspect', pictures]);
    expect(data.stdout).toMatch(/image-folder, 2 classes; images: train 41\n[\s\S]*red +21/);
  });

  it('takes train and test folders as they are, and names the run after the data', async () => {
    const data = join(folder, 'parts');
    await imageFolder(join(data, 'train'), 10);
    await imageFolder(join(data, 'test'), 5, 9);
    const args = ['train', '--data', 'parts', '-e', '2', '--json', '-q'];
    const { code, stdout, stderr } = await gradus(args, { cwd: folder });
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ run: join('runs', 'parts'), samples: { train: 18, val: 2, test: 10 } });
    const absent = await gradus(['evaluate', join('runs', 'parts'), '--data', 'nowhere'], { cwd: folder });
    expect(absent.stderr).toBe('error: nowhere: there is no such file or folder\n');
  });

  it('draws a preview without training', async () => {
    const out = join(folder, 'preview');
    const { code, stdout } = await here([
      'train',
      '--data',
      pictures,
      '--preview',
      '--augment',
      'flip,color',
      '--out',
      out,
    ]);
    expect(code).toBe(0);
    expect(stdout).toContain('with flip, color; nothing was trained');
    expect(await readFile(join(out, 'preview.svg'), 'utf8')).toContain('Training samples as the model sees them');
  });

  it('makes an error of an unreadable image with --strict', async () => {
    const { code, stderr } = await here(['train', '--data', pictures, '--strict', '--out', join(folder, 'strict')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: .*broken\.png: no readable image/);
  });

  it('decodes by worker threads', async () => {
    const out = join(folder, 'workers');
    const { code, stdout, stderr } = await gradus([
      'train',
      '--data',
      pictures,
      '-e',
      '1',
      '--workers',
      '1',
      '--out',
      out,
      '-q',
    ]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/: test accuracy [01]\.\d{4}/);
  });
});

describe('files of images', () => {
  it('trains on IDX files, tests on their test part', async () => {
    const data = join(folder, 'idx');
    await idxFolder(data, 60, 15);
    const args = [
      'train',
      'image-classification',
      '--data',
      data,
      '-e',
      '3',
      '--json',
      '--out',
      join(folder, 'idx-run'),
    ];
    const { code, stdout, stderr } = await here(args);
    expect(code, stderr).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ samples: { train: 54, val: 6, test: 15 }, part: 'test', epochs: 3 });
    expect(result.history).toHaveLength(3);
    expect(stderr).toContain('60 images, grey, 8 x 8 pixels');
  });

  it("trains a model of one's own on CIFAR-10 files", async () => {
    const data = join(folder, 'cifar');
    await cifarFolder(data, 45, 15);
    const model = join(folder, 'net.ts');
    await writeFile(
      model,
      `import { F, nn, type Tensor } from 'gradus';
export default class Net extends nn.Module {
  fc: nn.Linear;
  constructor({ inputShape, outputs }: { inputShape: number[]; outputs: number }) {
    super();
    this.fc = new nn.Linear(inputShape[0], outputs);
  }
  override forward(x: Tensor): Tensor {
    return this.fc.forward(F.avgPool2d(x, 32).flatten(1));
  }
}
`,
    );
    const out = join(folder, 'cifar-run');
    const args = ['train', '--data', data, '-e', '8', '--lr', '0.1', '--model', model, '--out', out, '-q'];
    const { code, stdout, stderr } = await gradus(args);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/test accuracy 1\.0000/);
    expect(stderr).toContain('classes 3, 4, 5, 6, 7, 8, 9 have no sample each');
    // Whoever opens a run runs no code of it: the ONNX file is enough, the code must be named to train on.
    const resume = (epochs: string) => ['train', '--resume', '--out', out, '-e', epochs, '-q'];
    expect((await gradus(resume('9'))).stderr).toContain(`to run it again say --model ${model}`);
    const more = await gradus([...resume('9'), '--model', model]);
    expect(more.code, more.stderr).toBe(0);
    await writeFile(model, 'export default 1;');
    expect((await gradus([...resume('10'), '--model', model])).stderr).toContain('has changed since; start a new run');
    await rm(model);
    const again = await gradus(['evaluate', out, '--json', '-q']);
    expect(JSON.parse(again.stdout).metrics.accuracy, again.stderr).toBe(1);
  });
});
