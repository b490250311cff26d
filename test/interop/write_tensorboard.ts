/** @file Writes the run that read_tensorboard.py checks: `npx tsx -C gradus-source test/interop/write_tensorboard.ts FOLDER`. */
import sharp from 'sharp';
import { TensorBoardWriter } from '../../src/train/records/tensorboard.ts';

const folder = process.argv[2];
const first = await TensorBoardWriter.open(folder, { now: () => 1.7e9 });
for (let step = 0; step < 100; step++) first.scalar('loss/train', 1, step);
await first.close();
const second = await TensorBoardWriter.open(folder, { resumeAt: 49, now: () => 1.7e9 + 60 });
for (let step = 50; step < 120; step++) second.scalar('loss/train', 0.5, step);
second.text('note', '**grün**', 119);
const png = await sharp({ create: { width: 3, height: 2, channels: 4, background: 'green' } })
  .png()
  .toBuffer();
second.image('picture', png, 119);
await second.close();
