import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { drawCifar } from '../cifar10/drawn.ts';
import { runRecipe } from '../run.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-transfer-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

it('gains over training from scratch where labels are few', { timeout: 280_000 }, async () => {
  const real = process.env.GRADUS_DATA;
  const hasReal = real !== undefined && existsSync(join(real, 'cifar-10-batches-bin'));
  const data = hasReal ? real : join(folder, 'drawn');
  if (!hasReal) await drawCifar(data);
  const out = join(folder, 'run');
  const size = '--pretrain-limit 2500 --pretrain-epochs 5 --labels 50 --epochs 8 --test-limit 500'.split(' ');
  const stdout = await runRecipe('transfer/main.ts', ['--data', data, '--out', out, ...size]);
  expect(stdout).toMatch(/from scratch: .*\nbackbone frozen, new head: .*\nthen all unfrozen: /);
  // The drawn classes are learned from few labels, too: nothing is to be gained there.
  expect(Number(/gain over training from scratch: (\S+)/.exec(stdout)?.[1])).toBeGreaterThanOrEqual(hasReal ? 0.02 : 0);
  expect(JSON.parse(await readFile(join(out, 'result.json'), 'utf8')).labels).toBe(50);
});
