/** @file Bytes from outside: gzip with a bound on what comes out, text with a known encoding, joining chunks. */
import { FormatError } from '../../ir/errors.ts';

/** Options shared by all readers. */
export interface ReadOptions {
  /** Name for messages, usually the path. */
  readonly name?: string;
  /** Most bytes to accept, after decompression. Default 4 GiB. */
  readonly maxBytes?: number;
}

/** Default of `maxBytes`. */
export const MAX_BYTES = 4 * 2 ** 30;

/** `ReadOptions` with defaults. */
export function withDefaults({ name = 'the data', maxBytes = MAX_BYTES }: ReadOptions): {
  name: string;
  maxBytes: number;
} {
  return { name, maxBytes };
}

/** @throws FormatError always: more than `maxBytes`. */
export function tooLarge(name: string, maxBytes: number): never {
  throw new FormatError(`${name}: more than ${maxBytes} bytes; raise maxBytes if this is expected and fits in memory`);
}

/** Whether bytes begin like a gzip member. */
function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** One array from chunks. */
export function join(chunks: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/**
 * Passes chunks on, through gunzip if they begin with gzip's magic number.
 * @throws FormatError for corrupt or truncated gzip data, and beyond `maxBytes`.
 */
export async function* inflate(
  chunks: AsyncIterable<Uint8Array>,
  options: ReadOptions = {},
): AsyncGenerator<Uint8Array> {
  const { name, maxBytes } = withDefaults(options);
  const source = chunks[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array();
  let ended = false;
  while (head.length < 2 && !ended) {
    const next = await source.next();
    if (next.done) ended = true;
    else head = head.length === 0 ? next.value : join([head, next.value]);
  }
  let total = 0;
  const rest: AsyncIterable<Uint8Array> = isGzip(head) ? gunzipped(head, source, name) : plain(head, source);
  for await (const chunk of rest) {
    total += chunk.length;
    if (total > maxBytes) tooLarge(name, maxBytes);
    yield chunk;
  }
}

async function* plain(head: Uint8Array, source: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (head.length > 0) yield head;
    for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
  } finally {
    await source.return?.();
  }
}

async function* gunzipped(
  head: Uint8Array,
  source: AsyncIterator<Uint8Array>,
  name: string,
): AsyncGenerator<Uint8Array> {
  let failed: unknown; // a failure of the source is no fault of the gzip data
  const input = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => controller.enqueue(head.slice()),
    async pull(controller) {
      try {
        const next = await source.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value.slice());
      } catch (error) {
        failed = error;
        controller.error(error);
      }
    },
    cancel: async () => {
      await source.return?.();
    },
  });
  const reader = input.pipeThrough(new DecompressionStream('gzip')).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        if (failed !== undefined) throw failed;
        throw new FormatError(
          `${name}: the gzip data is corrupt or truncated (${cause instanceof Error ? cause.message : cause})`,
          { cause },
        );
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined); // frees the source when the consumer leaves early
  }
}

/** Decompresses if gzip, else returns the bytes as they are. @throws FormatError as `inflate`. */
export async function maybeGunzip(bytes: Uint8Array, options: ReadOptions = {}): Promise<Uint8Array> {
  const { name, maxBytes } = withDefaults(options);
  if (!isGzip(bytes)) {
    if (bytes.length > maxBytes) tooLarge(name, maxBytes);
    return bytes;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of inflate(once(bytes), options)) chunks.push(chunk);
  return join(chunks);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Encodings of text files. */
export type TextEncoding = 'utf-8' | 'latin1' | 'utf-16le';

const label = (encoding: TextEncoding): string => (encoding === 'latin1' ? 'windows-1252' : encoding);

function notText(name: string, encoding: TextEncoding, cause: unknown): FormatError {
  return new FormatError(`${name}: not valid ${encoding} text; if it is in another encoding, say encoding: 'latin1'`, {
    cause,
  });
}

/** Text of bytes, without a byte order mark. @throws FormatError for bytes that are not of this encoding. */
export function decodeText(bytes: Uint8Array, name: string, encoding: TextEncoding = 'utf-8'): string {
  try {
    return new TextDecoder(label(encoding), { fatal: true }).decode(bytes);
  } catch (cause) {
    throw notText(name, encoding, cause);
  }
}

/** As `decodeText`, chunk by chunk. */
export async function* decodeTextStream(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  encoding: TextEncoding = 'utf-8',
): AsyncGenerator<string> {
  const decoder = new TextDecoder(label(encoding), { fatal: true });
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch (cause) {
      throw notText(name, encoding, cause);
    }
  };
  for await (const chunk of chunks) yield decode(chunk);
  yield decode();
}
