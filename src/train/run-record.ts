/** @file The record of a run as a callback: metrics.jsonl and TensorBoard events in the run's folder. */
import { ArgumentError } from '../ir/errors.ts';
import type { Callback } from './callback.ts';
import { nodeFiles } from './node-files.ts';
import { type MetricsRecord, MetricsWriter } from './records/metrics-file.ts';
import { TensorBoardWriter } from './records/tensorboard.ts';

export interface RunRecordOptions {
  /** Steps between two records of loss and learning rate; default 10. Epochs are always recorded. */
  every?: number;
}

/** Writes `<folder>/metrics.jsonl` and `<folder>/events.out.tfevents.*`. A resumed run goes on in the same record. */
export function runRecord(folder: string, { every = 10 }: RunRecordOptions = {}): Callback {
  if (!(Number.isInteger(every) && every >= 1))
    throw new ArgumentError(`runRecord: every must be a whole number of at least 1, found ${every}`);
  let metrics: MetricsWriter | undefined;
  let events: TensorBoardWriter | undefined;
  return {
    name: 'runRecord',
    async onFitStart({ step, epoch: finished }) {
      const resume = step > 0 ? { resumeAt: step } : {};
      // A checkpoint at the last step of an epoch may be older than the epoch's own record, which will come again.
      const drop = ({ phase, epoch }: MetricsRecord) => phase === 'epoch' && Number(epoch) > finished;
      metrics = await MetricsWriter.open(nodeFiles().path.join(folder, 'metrics.jsonl'), { ...resume, drop });
      events = await TensorBoardWriter.open(folder, resume);
    },
    onStepEnd({ step, epoch }, { loss, lr }) {
      if (step % every) return;
      metrics?.write({ step, epoch: epoch + 1, phase: 'step', loss, lr });
      events?.scalar('step/loss', loss, step);
      events?.scalar('step/lr', lr, step);
    },
    onEpochEnd({ step, epoch }, logs) {
      metrics?.write({ step, epoch, phase: 'epoch', ...logs });
      for (const [name, value] of Object.entries(logs)) {
        const [phase, tag] = name.startsWith('val_') ? ['val', name.slice(4)] : ['train', name];
        events?.scalar(`${phase}/${tag}`, value, step);
      }
    },
    async onCheckpoint() {
      await Promise.all([metrics?.flush(), events?.flush()]);
    },
    async onFitEnd() {
      await Promise.all([metrics?.close(), events?.close()]);
    },
  };
}
