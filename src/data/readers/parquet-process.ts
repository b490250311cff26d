/** @file What runs in the process of `readParquet`: one file, one answer. */
import { parseParquet } from '../formats/parquet.ts';
import { packError } from '../portable-error.ts';
import { readFileBytes } from './files.ts';
import type { ParquetReply, ParquetRequest } from './parquet.ts';

process.once('disconnect', () => process.exit());
process.once('message', async ({ path, options }: ParquetRequest) => {
  let reply: ParquetReply;
  try {
    reply = { rows: await parseParquet(await readFileBytes(path, options), options) };
  } catch (error) {
    reply = { error: packError(error) };
  }
  process.send?.(reply);
});
