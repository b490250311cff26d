/** @file What saveModel and loadModel refuse. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Linear } from '../nn/index.ts';
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
