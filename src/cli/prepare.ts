/** @file From a path and a task to prepared data: deciding what is to be learnt. */
import { detect, type Found } from './data/detect.ts';
import { prepareImages } from './data/images.ts';
import { type Prepared, type SplitRequest, tasks } from './data/prepared.ts';
import { prepareTable } from './data/tables.ts';
import { didYouMean, UsageError } from './problem.ts';
import type { Terminal } from './terminal.ts';

/** Words for the task that a person may type. */
export const taskWords = ['auto', ...tasks, 'table', 'text-classification'] as const;
export type TaskWord = (typeof taskWords)[number];

/** What decides how data are prepared. */
export interface DataRequest extends SplitRequest {
  readonly target: string | undefined;
  readonly ignore: readonly string[];
  readonly categorical: readonly string[];
  readonly numeric: readonly string[];
  readonly imageSize: readonly [number, number] | undefined;
  readonly strict: boolean;
}

/** @throws UsageError with the nearest known task. */
export function taskWord(word: string): TaskWord {
  const found = taskWords.find((known) => known === word.toLowerCase());
  if (found) return found;
  const path = /[/.\\]/.test(word) ? ` If it is the data you mean, say --data ${word}.` : '';
  throw new UsageError(`unknown task '${word}'.${didYouMean(word, taskWords)} Known: ${taskWords.join(', ')}.${path}`);
}

/** @throws UsageError where task and data do not go together. */
function checkTask(task: TaskWord, { format }: Found, path: string): void {
  const isTable = format === 'table';
  if (task === 'image-classification' && isTable)
    throw new UsageError(
      `${path} holds a table; for image-classification give a folder of images, IDX, CIFAR-10 or .npz files`,
    );
  if ((task === 'table' || task.startsWith('tabular')) && !isTable)
    throw new UsageError(`${path} holds images (${format}); the task for them is image-classification`);
}

/** Looks at the data, says what was found and decided, and prepares it. */
export async function prepare(
  task: TaskWord,
  path: string,
  request: DataRequest,
  terminal: Terminal,
): Promise<Prepared> {
  const found = await detect(path);
  checkTask(task, found, path);
  const prepared =
    found.format === 'table'
      ? await prepareTable(
          found,
          path,
          {
            ...request,
            task:
              task === 'tabular-classification'
                ? 'classification'
                : task === 'tabular-regression'
                  ? 'regression'
                  : undefined,
          },
          terminal,
        )
      : await prepareImages(found, path, request, terminal);
  if (task === 'auto' || task === 'table')
    terminal.say(`  task: ${terminal.paint('cyan', prepared.task)} (decided by the data)`);
  return prepared;
}
