/** @file The report of a run: a curve over steps where there was one epoch only. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawReport, stepLosses } from './picture.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-report-'));
});
afterAll(async () => await rm(folder, { recursive: true }));

const score = {
  metrics: { accuracy: 0.5 },
  outputs: { data: Float32Array.of(0, 1), samples: 2, width: 1 },
  mistakes: [],
  matrix: undefined,
};
const report = async (history: Record<string, number>[], count: number) => {
  const { callback, losses } = stepLosses();
  const records = [
    { step: 10, phase: 'step', loss: 7 },
    { step: 11 + count, phase: 'epoch', loss: 1, val_loss: 0.8 },
  ];
  await writeFile(join(folder, 'metrics.jsonl'), records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  for (let i = 0; i < count; i++) await callback.onStepEnd?.({ step: 11 + i } as never, { loss: 2 - i / count });
  const part = 'validation';
  await drawReport(folder, { title: 't', part, history, steps: losses, data: { labels: [0, 1] }, score, classes: [] });
  return await readFile(join(folder, 'report.svg'), 'utf8');
};

describe('drawReport', () => {
  it('shows the loss over the steps of one epoch, from before an interruption too', async () => {
    const svg = await report([{ loss: 1, val_loss: 0.8, rmse: 1 }], 30);
    expect(svg).toContain('>step<');
    expect(svg).not.toContain('>epoch<');
    expect(svg).not.toContain('Root mean square error');
    expect(await report([{ loss: 1, val_loss: 0.8 }], 500)).toContain('Loss (means of 5 steps)');
  });

  it('shows epochs where there are several', async () => {
    const svg = await report([{ loss: 2 }, { loss: 1 }], 30);
    expect(svg).toContain('>epoch<');
    expect(svg).not.toContain('>step<');
  });
});
