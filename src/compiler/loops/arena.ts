/** @file Memory that both the engine's tensors and the emitted loops can reach: arenas of WebAssembly memory. */
import { ArgumentError, GradusError } from '../../ir/errors.ts';

/** The machine has no room for an arena, or an arena no room for an array. */
export class MemoryError extends GradusError {}

const page = 65536;
/** What a 32-bit WebAssembly memory can hold. */
export const maxArenaBytes = 65536 * page;
/** A cache line; also what the widest vector loads like best. */
const alignment = 64;
const minArenaBytes = 64 * 2 ** 20;

/** An array in an arena. Its pointer is its byte offset, as emitted loops take it. */
export interface Allocation {
  readonly arena: Arena;
  readonly pointer: number;
  readonly view: Float32Array<ArrayBuffer>;
}

const arenas = new WeakMap<ArrayBufferLike, Arena>();

/** The arena that a view lies in, or undefined; its pointer there is `view.byteOffset`. */
export function arenaOf(view: ArrayBufferView): Arena | undefined {
  return arenas.get(view.buffer);
}

/** Bytes that an array of this many float32 elements takes. */
function roomFor(length: number): number {
  if (!Number.isSafeInteger(length) || length < 0)
    throw new ArgumentError(`an array's length must be a whole number, 0 or more; got ${length}`);
  return Math.ceil((4 * length) / alignment) * alignment;
}

/**
 * A non-shared WebAssembly memory of fixed size (growing one would detach every view on it) that float32 arrays are cut
 * from. Untouched pages cost address space only.
 */
export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly byteLength: number;
  readonly #buffer: ArrayBuffer;
  #top = 0;
  /** Bytes from here on were never handed out, so they are zero. */
  #untouched = 0;
  /** Bytes taken, by pointer, of arrays in use. */
  readonly #live = new Map<number, number>();
  /** Pointers of freed blocks, by their size in bytes. */
  readonly #free = new Map<number, number[]>();

  /** @throws ArgumentError beyond 4 GiB, MemoryError where the machine has no room. */
  constructor(byteLength: number) {
    if (!(byteLength >= 0 && byteLength <= maxArenaBytes))
      throw new ArgumentError(`an arena holds at most 4 GiB (${maxArenaBytes} bytes); asked for ${byteLength}`);
    const pages = Math.ceil(byteLength / page);
    try {
      this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    } catch (cause) {
      throw new MemoryError(
        `no room for ${byteLength} bytes of WebAssembly memory; use a smaller model or batch, or free memory`,
        { cause },
      );
    }
    this.#buffer = this.memory.buffer;
    this.byteLength = this.#buffer.byteLength;
    arenas.set(this.#buffer, this);
  }

  /** Bytes in use. */
  get usedBytes(): number {
    let sum = 0;
    for (const bytes of this.#live.values()) sum += bytes;
    return sum;
  }

  /** Whether {@link allocate} would succeed for all of these lengths, one after the other. */
  fits(lengths: readonly number[]): boolean {
    const taken = new Map<number, number>();
    let top = this.#top;
    for (const length of lengths) {
      const bytes = roomFor(length);
      const reused = taken.get(bytes) ?? 0;
      if (reused < (this.#free.get(bytes)?.length ?? 0)) taken.set(bytes, reused + 1);
      else top += bytes;
    }
    return top <= this.byteLength;
  }

  /**
   * An array of `length` zeros, aligned to 64 bytes: a freed block of the same size, or the next room.
   * @throws MemoryError when the arena is full.
   */
  allocate(length: number): Allocation {
    const bytes = roomFor(length);
    const reused = bytes ? this.#free.get(bytes)?.pop() : undefined;
    if (reused === undefined && this.#top + bytes > this.byteLength)
      throw new MemoryError(
        `the arena of ${this.byteLength} bytes has ${this.byteLength - this.#top} left; an array of ${length} needs ${bytes}`,
      );
    const pointer = reused ?? this.#top;
    if (reused === undefined) this.#top += bytes;
    const view = new Float32Array(this.#buffer, pointer, length);
    if (pointer < this.#untouched) view.fill(0);
    this.#untouched = Math.max(this.#untouched, pointer + bytes);
    if (bytes) this.#live.set(pointer, bytes);
    return { arena: this, pointer, view };
  }

  /**
   * Gives an array's memory back; its view must not be used afterwards.
   * @throws ArgumentError if it is not an array of this arena in use.
   */
  free(allocation: Allocation): void {
    const { pointer, view } = allocation;
    if (view.length === 0 && allocation.arena === this) return;
    const bytes = this.#live.get(pointer);
    if (allocation.arena !== this || bytes !== roomFor(view.length))
      throw new ArgumentError(`no array of ${view.length} elements is in use at byte ${pointer} of this arena`);
    this.#live.delete(pointer);
    if (!this.#live.size) {
      this.#top = 0;
      this.#free.clear();
      return;
    }
    const list = this.#free.get(bytes);
    if (list) list.push(pointer);
    else this.#free.set(bytes, [pointer]);
  }
}

/** Hands out arrays, opening arenas as they are needed. Only the newest is kept alive; the others by what lies in them. */
export class ArenaAllocator {
  #current: Arena | undefined;

  /**
   * Arrays of zeros that lie in one arena, so that one loop can work on all of them (a parameter, its gradient and its
   * optimiser state). A new arena of 64 MiB, or as large as needed, is opened where the current one has no room.
   * @throws ArgumentError where they need more than 4 GiB together, MemoryError where the machine has no room.
   */
  allocateTogether(lengths: readonly number[]): Allocation[] {
    if (!this.#current?.fits(lengths)) {
      const bytes = lengths.reduce((sum, length) => sum + roomFor(length), 0);
      if (bytes > maxArenaBytes)
        throw new ArgumentError(
          `arrays of [${lengths.join(', ')}] elements need ${bytes} bytes together; one arena holds 4 GiB: split them`,
        );
      this.#current = new Arena(Math.max(minArenaBytes, bytes));
    }
    const arena = this.#current;
    return lengths.map((length) => arena.allocate(length));
  }
}
