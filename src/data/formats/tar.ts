/** @file Tar archives (POSIX ustar and pax, GNU long names): the files in them, as views of the archive's bytes. */
import { FormatError } from '../../ir/errors.ts';
import { type ReadOptions, withDefaults } from './bytes.ts';

/** A file of an archive. */
export interface TarEntry {
  /** As the archive has it; never used as a path here. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const block = 512;
const utf8 = new TextDecoder();

function text(bytes: Uint8Array, from: number, length: number): string {
  const field = bytes.subarray(from, from + length);
  const end = field.indexOf(0);
  return utf8.decode(end < 0 ? field : field.subarray(0, end));
}

/** A number field: octal digits, or base 256 where the first bit is set. */
function number(bytes: Uint8Array, from: number, length: number): number {
  if (bytes[from] & 0x80) {
    let value = bytes[from] & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + bytes[from + i];
    return value;
  }
  const digits = text(bytes, from, length).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
}

/** Sum of a header's bytes, its own field counted as spaces. */
function checksum(header: Uint8Array): number {
  return header.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 32 : byte), 0);
}

/** The name among pax records `<length> path=<name>\n`, if there is one. */
function paxPath(bytes: Uint8Array): string | undefined {
  let found: string | undefined;
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(32, at);
    const length = space < 0 ? 0 : Number(utf8.decode(bytes.subarray(at, space)));
    if (!Number.isInteger(length) || length <= space - at) return found;
    const record = utf8.decode(bytes.subarray(space + 1, at + length - 1));
    if (record.startsWith('path=')) found = record.slice('path='.length);
    at += length;
  }
  return found;
}

/**
 * The regular files of a tar archive, in order; folders, links and devices are left out. Nothing is written anywhere, so
 * names such as `../x` are harmless until someone uses them as paths. For .tar.gz see `maybeGunzip` and `readTar`.
 * @throws FormatError for damaged headers and archives that end early, naming the place.
 */
export function parseTar(bytes: Uint8Array, options: ReadOptions = {}): TarEntry[] {
  const { name: source } = withDefaults(options);
  const entries: TarEntry[] = [];
  let longName: string | undefined;
  for (let at = 0; at + block <= bytes.length; ) {
    const header = bytes.subarray(at, at + block);
    if (header.every((byte) => byte === 0)) return entries;
    if (number(header, 148, 8) !== checksum(header))
      throw new FormatError(`${source}: no tar header at byte ${at} (its checksum is wrong)`);
    const size = number(header, 124, 12);
    const start = at + block;
    if (!Number.isSafeInteger(size) || size > bytes.length - start)
      throw new FormatError(
        `${source}: the file at byte ${at} claims ${size} bytes, ${bytes.length - start} are there; the archive is truncated`,
      );
    const content = bytes.subarray(start, start + size);
    const kind = String.fromCharCode(header[156] || 48);
    if (kind === 'L') longName = text(content, 0, size);
    else if (kind === 'x') longName = paxPath(content) ?? longName;
    else if (kind !== 'g') {
      // Only ustar headers have a prefix; GNU keeps times there.
      const prefix = utf8.decode(header.subarray(257, 263)) === 'ustar\0' ? text(header, 345, 155) : '';
      const short = text(header, 0, 100);
      const name = longName ?? (prefix ? `${prefix}/${short}` : short);
      longName = undefined;
      if (kind === '0' || kind === '7') entries.push({ name, bytes: content });
    }
    at = start + Math.ceil(size / block) * block;
  }
  if (entries.length === 0) throw new FormatError(`${source}: no tar archive (${bytes.length} bytes)`);
  return entries;
}
