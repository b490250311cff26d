/** @file Arenas: alignment, reuse, growth by new arenas, collection of old ones. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../ir/errors.ts';
import { type Allocation, Arena, ArenaAllocator, arenaOf, MemoryError } from './arena.ts';

describe('Arena', () => {
  it('gives aligned zeros that never overlap, whatever is freed in between', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(100), fc.boolean(), fc.nat(50)), { maxLength: 60 }), (steps) => {
        const arena = new Arena(65536);
        const live: { allocation: Allocation; mark: number }[] = [];
        for (const [i, [length, frees, which]] of steps.entries()) {
          if (frees && live.length) arena.free(live.splice(which % live.length, 1)[0].allocation);
          else {
            expect(arena.fits([length])).toBe(true);
            const allocation = arena.allocate(length);
            expect(allocation.pointer % 64).toBe(0);
            expect(allocation.view.byteOffset).toBe(allocation.pointer);
            expect(allocation.view).toEqual(new Float32Array(length));
            allocation.view.fill(i + 1);
            live.push({ allocation, mark: i + 1 });
          }
          for (const { allocation, mark } of live) expect(allocation.view.every((x) => x === mark)).toBe(true);
        }
        for (const { allocation } of live) arena.free(allocation);
        expect(arena.usedBytes).toBe(0);
        expect(arena.fits([65536 / 4])).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('reuses a freed block of the same size', () => {
    const arena = new Arena(65536);
    const [a] = [arena.allocate(100), arena.allocate(8)];
    a.view.fill(3);
    arena.free(a);
    const b = arena.allocate(99);
    expect(b.pointer).toBe(a.pointer);
    expect(b.view.every((x) => x === 0)).toBe(true);
  });

  it('says when it is full, and refuses what is not in use', () => {
    const arena = new Arena(65536);
    const a = arena.allocate(16000);
    expect(arena.fits([384])).toBe(true);
    expect(arena.fits([192, 193])).toBe(false);
    expect(() => arena.allocate(385)).toThrow(MemoryError);
    expect(() => arena.allocate(385)).toThrow('has 1536 left; an array of 385 needs 1600');
    expect(() => arena.allocate(-1)).toThrow(ArgumentError);
    expect(() => arena.allocate(1.5)).toThrow('whole number');
    arena.free(a);
    expect(() => arena.free(a)).toThrow('no array of 16000 elements is in use at byte 0');
    expect(() => new Arena(65536).free(arena.allocate(4))).toThrow(ArgumentError);
    expect(() => new Arena(2 ** 32 + 1)).toThrow('at most 4 GiB');
  });

  it('is found from a view', () => {
    const { view, arena } = new Arena(65536).allocate(10);
    expect(arenaOf(view)).toBe(arena);
    expect(arenaOf(view.subarray(2))).toBe(arena);
    expect(arenaOf(new Float32Array(4))).toBeUndefined();
  });
});

describe('ArenaAllocator', () => {
  it('keeps together what belongs together, and opens a new arena where there is no room', () => {
    const allocator = new ArenaAllocator();
    const a = allocator.allocateTogether([1000, 1000, 2]);
    const b = allocator.allocateTogether([10]);
    expect(new Set([...a, ...b].map((x) => x.arena)).size).toBe(1);
    expect(a[0].arena.byteLength).toBe(64 * 2 ** 20);
    const large = allocator.allocateTogether([15e6, 15e6]);
    expect(large[0].arena).not.toBe(a[0].arena);
    expect(large[1].arena).toBe(large[0].arena);
    expect(large[0].arena.byteLength).toBeGreaterThanOrEqual(120e6);
    expect(() => allocator.allocateTogether([2 ** 30, 1])).toThrow('one arena holds 4 GiB: split them');
  });

  it('says when the machine has no room', () => {
    setFlagsFromString('--wasm-max-mem-pages=100');
    try {
      expect(() => new ArenaAllocator().allocateTogether([10])).toThrow(MemoryError);
      expect(() => new ArenaAllocator().allocateTogether([10])).toThrow('no room for 67108864 bytes');
    } finally {
      setFlagsFromString('--wasm-max-mem-pages=65536');
    }
  });

  it('lets go of old arenas', async () => {
    setFlagsFromString('--expose_gc');
    const collect = runInNewContext('gc') as () => void;
    const allocator = new ArenaAllocator();
    let refs: WeakRef<WebAssembly.Memory>[] = [];
    refs = Array.from({ length: 5 }, () => new WeakRef(allocator.allocateTogether([16 * 2 ** 20])[0].arena.memory));
    for (let i = 0; i < 10 && refs.filter((r) => r.deref()).length > 1; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      collect();
    }
    expect(refs.filter((r) => r.deref()).length).toBe(1);
  });
});
