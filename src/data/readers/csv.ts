/** @file CSV files, whole or row by row. */
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { decodeTextStream } from '../formats/bytes.ts';
import { type CsvOptions, type CsvRow, CsvRows, csvError, csvParseOptions } from '../formats/csv.ts';
import { StreamDataset } from '../stream.ts';
import { streamFile } from './files.ts';

/**
 * The rows of a CSV file (gzip too), one by one in bounded memory.
 * @example
 * const rows = streamCsv('ratings.csv.gz').map((r) => ({ x: [Number(r.userId), Number(r.movieId)], y: Number(r.rating) }));
 * @throws FormatError naming file and line, as `parseCsv`.
 */
export function streamCsv(path: string, options: CsvOptions = {}): StreamDataset<CsvRow> {
  return new StreamDataset(() => rowsOf(path, options));
}

async function* rowsOf(path: string, options: CsvOptions): AsyncGenerator<CsvRow> {
  const name = options.name ?? path;
  const rows = new CsvRows({ ...options, name });
  const parser = parse(csvParseOptions(options));
  const text = decodeTextStream(streamFile(path, options), name, options.encoding);
  const feeding = pipeline(text, parser);
  feeding.catch(() => undefined); // thrown where the rows are read
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      const row = rows.row(record);
      if (row) yield row;
    }
    await feeding;
  } catch (error) {
    throw csvError(error, name);
  } finally {
    parser.destroy();
  }
}

/** All rows of a CSV file (gzip too). @throws FormatError naming file and line, as `parseCsv`. */
export async function readCsv(path: string, options: CsvOptions = {}): Promise<CsvRow[]> {
  const out: CsvRow[] = [];
  for await (const row of rowsOf(path, options)) out.push(row);
  return out;
}
