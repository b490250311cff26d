/** @file Whether memory stays flat: node --expose-gc build/steady.js <workload> <steps> [loop] prints one JSON line. */
import { build } from './networks.ts';
import { type MemorySample, parseArguments, residentMb } from './spec.ts';

async function sample(step: number): Promise<MemorySample> {
  globalThis.gc?.();
  await new Promise((resolve) => setImmediate(resolve)); // finalisers of buffers run after the collection
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  const mb = (bytes: number) => Number((bytes / 2 ** 20).toFixed(2));
  return { step, residentMb: residentMb(), heapMb: mb(heapUsed), outsideMb: mb(external) };
}

const { name, seconds: steps, setting } = parseArguments();
const step = await build(name, setting === 'loop');
const samples: MemorySample[] = [];
for (let i = 1; i <= steps; i++) {
  await step();
  if (i % (steps / 10) === 0) samples.push(await sample(i));
}
console.log(JSON.stringify({ samples }));
