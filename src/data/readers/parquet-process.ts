/** @file What runs in the process that decodes Parquet: one file, one answer. */
import { decodeParquet } from '../formats/parquet.ts';
import { packError } from '../portable-error.ts';
import { readFileBytes } from './files.ts';
import type { ParquetReply, ParquetRequest } from './parquet-apart.ts';

process.once('disconnect', () => process.exit());
process.once('message', async ({ source, options }: ParquetRequest) => {
  let reply: ParquetReply;
  try {
    const bytes = typeof source === 'string' ? await readFileBytes(source, options) : source;
    reply = { rows: await decodeParquet(bytes, options) };
  } catch (error) {
    reply = { error: packError(error) };
  }
  process.send?.(reply);
});
