/** @file The line that shows a download in a terminal. */
import { loadBar } from '../train/progress-bar.ts';

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

/** Small files are there before a line could be read. */
const worthShowing = 1_000_000;

/** Shows the progress of one file while `run` downloads it. Quiet where standard error is no terminal. */
export async function withProgress(
  name: string,
  size: number,
  show: boolean | undefined,
  run: (onProgress?: (bytes: number) => void) => Promise<void>,
): Promise<void> {
  const { CI, TERM } = process.env;
  const isLive = process.stderr.isTTY && (!CI || CI === 'false') && TERM !== 'dumb';
  if (!(show ?? isLive) || !process.stderr.isTTY || size < worthShowing) return await run();
  const makeBar = await loadBar();
  let bytes = 0;
  const text = (width: number) =>
    `${name} ${Math.floor((100 * bytes) / size)} % ${megabytes(bytes)} of ${megabytes(size)}`.slice(0, width);
  const bar = makeBar(text, process.stderr);
  bar.start();
  try {
    await run((now) => {
      bytes = now;
      bar.update();
    });
  } finally {
    bar.stop();
  }
}
