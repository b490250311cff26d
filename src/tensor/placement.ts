/** @file Puts storages that one loop works on into one arena, so that the loop can reach them all. */
import { type Allocation, ArenaAllocator, arenaOf } from '../compiler/loops/arena.ts';
import type { Storage } from './storage.ts';

const allocator = new ArenaAllocator();

/** Storages that must stay in one arena because some loop uses them together. */
const companions = new WeakMap<Storage, Set<Storage>>();

/** Takes a storage out of its cluster: it lives on a device from now on. */
export function unplace(storage: Storage): void {
  companions.get(storage)?.delete(storage);
  companions.delete(storage);
}

/** Makes all the storages (float32) live in one arena, moving them, with all that were placed with them, where they do not. */
export function placeTogether(storages: readonly Storage[]): void {
  const arena = storages[0].host && arenaOf(storages[0].host);
  if (arena && storages.every((s) => s.host && arenaOf(s.host) === arena)) return;
  const cluster = new Set<Storage>();
  for (const s of storages) for (const companion of companions.get(s) ?? [s]) cluster.add(companion);
  const members = [...cluster];
  const allocations: readonly Allocation[] = allocator.allocateTogether(members.map((s) => s.size));
  members.forEach((storage, i) => {
    const { view } = allocations[i];
    const before = storage.host;
    if (before) view.set(before);
    storage.host = view;
    companions.set(storage, cluster);
  });
}
