/** @file Reads protobuf messages from untrusted bytes by tables of fields; nothing is allocated by a length's mere claim. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { FormatError } from '../errors.ts';

/** What to do with each known field, by number; the handler takes the value off the source. Other fields are skipped. */
export type Fields<T> = Readonly<Record<number, (message: T, source: Source) => void>>;

/** Empty messages take 2 bytes in a file and some 200 in memory; the largest models known have some 10^5. */
const maxMessages = 4_000_000;
/** Bodies of If and Loop within each other; real models nest 2 or 3 deep. */
const maxGraphDepth = 64;

/** @returns the error of a file that breaks the rules of protobuf or onnx.proto. */
export function notOnnx(what: string): FormatError {
  return new FormatError(`not an ONNX file: ${what}`);
}

/** A protobuf stream with the end of the current message and the wire type of the current field. */
export class Source {
  readonly #bytes: Uint8Array;
  readonly #reader: BinaryReader;
  #end: number;
  #wire: WireType = WireType.LengthDelimited;
  #field = 0;
  #messages = 0;
  #graphDepth = 0;

  constructor(bytes: Uint8Array) {
    // A plain view even of Node's Buffer, whose slice() would not copy.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#reader = new BinaryReader(this.#bytes);
    this.#end = bytes.length;
  }

  /** Reads fields up to the current message's end. */
  fields<T>(message: T, table: Fields<T>): T {
    const reader = this.#reader;
    const end = this.#end;
    while (reader.pos < end) {
      const [field, wire] = reader.tag();
      this.#field = field;
      this.#wire = wire;
      const handle = table[field];
      if (handle) handle(message, this);
      else reader.skip(wire, field);
      if (reader.pos > end) throw this.#fail('reaches beyond its message');
    }
    return message;
  }

  /** The current field as a message. */
  message<T>(message: T, table: Fields<T>): T {
    if (++this.#messages > maxMessages) throw notOnnx(`it has more than ${maxMessages} parts`);
    const outer = this.#end;
    const length = this.#length();
    this.#end = this.#reader.pos + length;
    this.fields(message, table);
    this.#end = outer;
    return message;
  }

  /** Reads a graph by `read`, refusing graphs within graphs without end. */
  graph<T>(read: () => T): T {
    if (++this.#graphDepth > maxGraphDepth) throw notOnnx(`graphs are nested more than ${maxGraphDepth} deep`);
    const graph = read();
    this.#graphDepth--;
    return graph;
  }

  /** A view of the bytes, not a copy. */
  bytes(): Uint8Array {
    const length = this.#length();
    const { pos } = this.#reader;
    this.#reader.pos += length;
    return this.#bytes.subarray(pos, pos + length);
  }

  string(): string {
    this.#expect(WireType.LengthDelimited);
    const start = this.#reader.pos;
    try {
      return this.#reader.string(true);
    } catch {
      throw this.#fail('is not UTF-8 text or is cut off', start);
    }
  }

  /** A signed 64-bit integer; beyond 2^53 rounded to the nearest number. */
  int(): number {
    this.#expect(WireType.Varint);
    return Number(this.#reader.int64());
  }

  int32(): number {
    this.#expect(WireType.Varint);
    return this.#reader.int32();
  }

  float(): number {
    this.#expect(WireType.Bit32);
    return this.#reader.float();
  }

  /** A repeated varint field, packed or not: `take` is called for each. */
  varints(take: (reader: BinaryReader) => void): void {
    if (this.#wire !== WireType.LengthDelimited) {
      this.#expect(WireType.Varint);
      take(this.#reader);
      return;
    }
    const length = this.#length();
    const end = this.#reader.pos + length;
    while (this.#reader.pos < end) take(this.#reader);
    if (this.#reader.pos > end) throw this.#fail('holds a number that is cut off');
  }

  /** A repeated field of fixed width, packed or not, as little-endian bytes (a view). */
  fixed(width: 4 | 8): Uint8Array {
    if (this.#wire === WireType.LengthDelimited) {
      const bytes = this.bytes();
      if (bytes.length % width) throw this.#fail(`has ${bytes.length} bytes, which are no ${width}-byte numbers`);
      return bytes;
    }
    this.#expect(width === 4 ? WireType.Bit32 : WireType.Bit64);
    const { pos } = this.#reader;
    if (pos + width > this.#end) throw this.#fail('is cut off');
    this.#reader.pos += width;
    return this.#bytes.subarray(pos, pos + width);
  }

  /** For fields that a message may have once only. */
  once(value: unknown): void {
    if (value !== undefined) throw this.#fail('appears twice in one message');
  }

  #length(): number {
    this.#expect(WireType.LengthDelimited);
    const length = this.#reader.uint32();
    const left = this.#end - this.#reader.pos;
    if (length > left) throw this.#fail(`claims ${length} bytes where ${Math.max(left, 0)} are left`);
    return length;
  }

  #expect(wire: WireType): void {
    if (this.#wire !== wire) throw this.#fail(`has wire type ${this.#wire}; expected ${wire}`);
  }

  #fail(what: string, at = this.#reader.pos): FormatError {
    return notOnnx(`field ${this.#field} before byte ${at} ${what}`);
  }
}

/** Little-endian bytes that grow by what really was read; a single piece stays a view of the file. */
export class ByteSink {
  #bytes: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  #isBorrowed = false;

  get length(): number {
    return this.#length;
  }

  append(piece: Uint8Array): void {
    if (!this.#length) {
      this.#bytes = piece;
      this.#isBorrowed = true;
      this.#length = piece.length;
      return;
    }
    const at = this.#grow(piece.length);
    this.#bytes.set(piece, at);
  }

  int32(value: number): void {
    const at = this.#grow(4);
    this.#view.setInt32(at, value, true);
  }

  int64(value: bigint): void {
    const at = this.#grow(8);
    this.#view.setBigInt64(at, value, true);
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#isBorrowed || this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(64, 2 * this.#length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
      this.#isBorrowed = false;
    }
    return at;
  }
}
