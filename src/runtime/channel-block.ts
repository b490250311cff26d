/** @file How many channels ONNX Runtime's blocked layout groups on this processor, found by asking it. */
import { emitModel } from '../compiler/emit.ts';
import { reorderInput } from '../compiler/nchwc/ops.ts';
import { topologicalOrder, Value } from '../ir/graph.ts';
import type { Engine } from './engine.ts';

const blocks = new WeakMap<Engine, Promise<number>>();

/**
 * Channels per block, or 0 where the engine has no blocked layout. The environment variable GRADUS_BLOCKED=0 turns the
 * layout off.
 */
export function channelBlock(engine: Engine): Promise<number> {
  let block = blocks.get(engine);
  if (!block) {
    const isOff = typeof process === 'object' && process.env.GRADUS_BLOCKED === '0';
    block = engine.device !== 'cpu' || isOff ? Promise.resolve(0) : probe(engine);
    blocks.set(engine, block);
  }
  return block;
}

/** Reordering four channels fills them up to one block: the result's second dimension is the answer. */
async function probe(engine: Engine): Promise<number> {
  const x = Value.input({ dtype: 'float32', shape: [1, 4, 1, 1] });
  const y = reorderInput(x);
  const model = emitModel(topologicalOrder([y]), [x], [y]);
  try {
    const program = await engine.compile(model.bytes, model.inputNames, model.outputNames, {});
    const [result] = await program.run([engine.upload('float32', x.shape, new Float32Array(4))], [null]);
    await program.dispose();
    return result.dims[1];
  } catch {
    return 0;
  }
}
