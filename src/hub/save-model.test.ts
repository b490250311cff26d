/** @file What saveModel and loadModel refuse; heads that are left out, 16-bit files, files without counts of batches. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BatchNorm1d, Linear, Sequential } from '../nn/index.ts';
import { writeSafetensors } from '../train/safetensors.ts';
import { loadModel, saveModel } from './save-model.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('saveModel and loadModel', () => {
  it('refuse what is no model and no path', async () => {
    await expect(saveModel({} as never, folder)).rejects.toThrow('the first argument must be a model');
    await expect(saveModel(new Linear(2, 2), undefined as never)).rejects.toThrow('must be a path, found undefined');
    await expect(loadModel(new Linear(2, 2), '')).rejects.toThrow('must be a path, found ""');
  });

  it('name a file in the way of the folder', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(saveModel(new Linear(2, 2), join(folder, 'file'))).rejects.toThrow(
      /a file of this name is in the way/,
    );
  });

  it.each(['../secret.safetensors', '/etc/passwd', '..\\secret.safetensors', 'C:\\x', '', '.', 'x\0y', 5])(
    'read no shard outside of the folder: %j',
    async (file) => {
      await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { weight: file } }));
      await expect(loadModel(new Linear(2, 2), folder)).rejects.toThrow(/file name/);
    },
  );
});

describe('loadModel', () => {
  const network = (classes: number) => new Sequential(new Linear(2, 3), new BatchNorm1d(3), new Linear(3, classes));

  it('leaves the head of other classes out', async () => {
    const trained = network(4);
    await saveModel(trained, join(folder, 'trained'));
    const model = network(2);
    const head = await model.stateDict()['2.weight'].array();
    const result = await loadModel(model, join(folder, 'trained'), { exclude: '2' });
    expect(result).toEqual({ missingKeys: [], unexpectedKeys: [] });
    const [from, to] = [trained.stateDict(), model.stateDict()];
    expect(await to['0.weight'].array()).toEqual(await from['0.weight'].array());
    expect(await to['2.weight'].array()).toEqual(head);
    await expect(loadModel(network(2), join(folder, 'trained'))).rejects.toThrow(
      /trained: state dict entry '2\.weight' has shape \[4, 3\], the model needs \[2, 3\]; \{ exclude: '<name>' \} leaves/,
    );
    const other = new Sequential(new Linear(2, 3));
    await expect(loadModel(other, join(folder, 'trained'), { exclude: /^2/ })).rejects.toThrow(
      'loadModel: no key of the model matches exclude: /^2/; it has 0.weight, 0.bias',
    );
    await expect(loadModel(other, join(folder, 'trained'))).rejects.toThrow('unexpected: 1.num_batches_tracked');
  });

  it('takes bfloat16, and files without the counts of batches', async () => {
    // Upper halves of float32: 1.5, -2, 0.25, ...
    const bits = (values: number[]) =>
      new Uint16Array(new Uint32Array(Float32Array.from(values).buffer).map((v) => v >>> 16));
    const entry = (...values: number[]) => ({ data: bits(values), shape: [values.length], dtype: 'bfloat16' as const });
    const file = join(folder, 'half.safetensors');
    const tensors = {
      weight: entry(1.5, -2),
      bias: entry(0.25, 3),
      running_mean: entry(0, 1),
      running_var: entry(1, 2),
    };
    await writeFile(file, writeSafetensors(tensors));
    const model = new BatchNorm1d(2);
    await loadModel(model, file);
    expect(await model.stateDict().weight.array()).toEqual([1.5, -2]);
    expect(await model.stateDict().num_batches_tracked.item()).toBe(0);
  });
});
