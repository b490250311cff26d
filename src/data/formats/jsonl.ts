/** @file JSON lines: one JSON value per line. */
import { FormatError } from '../../ir/errors.ts';
import { decodeText, decodeTextStream, type ReadOptions, withDefaults } from './bytes.ts';

/** Options of the JSONL readers. */
export interface JsonlOptions extends ReadOptions {
  /** Longest line in characters. Default 2^26. */
  readonly maxLineLength?: number;
}

function parseLine(line: string, number: number, name: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new FormatError(`${name}, line ${number}: not JSON (${(cause as Error).message})`, { cause });
  }
}

/** The value of each line of text chunks, as they come; empty lines are left out. @throws FormatError naming the line. */
export async function* jsonlFromText(
  chunks: AsyncIterable<string>,
  options: JsonlOptions = {},
): AsyncGenerator<unknown> {
  const { name } = withDefaults(options);
  const limit = options.maxLineLength ?? 2 ** 26;
  let pending: string[] = [];
  let length = 0;
  let number = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', start)) {
      const line = pending.join('') + chunk.slice(start, end);
      pending = [];
      length = 0;
      start = end + 1;
      number++;
      if (line.trim() !== '') yield parseLine(line, number, name);
    }
    pending.push(chunk.slice(start));
    length += chunk.length - start;
    if (length > limit) throw new FormatError(`${name}, line ${number + 1}: longer than maxLineLength ${limit}`);
  }
  const last = pending.join('');
  if (last.trim() !== '') yield parseLine(last, number + 1, name);
}

/** As `jsonlFromText`, from bytes in UTF-8. */
export function jsonlFromBytes(chunks: AsyncIterable<Uint8Array>, options: JsonlOptions = {}): AsyncGenerator<unknown> {
  return jsonlFromText(decodeTextStream(chunks, withDefaults(options).name), options);
}

/** All values of JSON lines. @throws FormatError naming the line that is not JSON. */
export function parseJsonl(text: string | Uint8Array, options: JsonlOptions = {}): unknown[] {
  const { name } = withDefaults(options);
  const source = typeof text === 'string' ? text : decodeText(text, name);
  const out: unknown[] = [];
  for (const [i, line] of source.split('\n').entries()) if (line.trim() !== '') out.push(parseLine(line, i + 1, name));
  return out;
}
