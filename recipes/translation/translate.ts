/** @file Translation of sentences by greedy or beam search. */
import { beamSearch, compile, type DecoderStep, greedySearch, noGrad, type Tensor, tensor } from 'gradus';
import { longest, sourceIds } from './data.ts';
import { end, pad, start, type Translator } from './models.ts';
import type { Subwords } from './subwords.ts';

const padded = (rows: readonly (readonly number[])[], length: number): Tensor =>
  tensor(
    rows.map((ids) => Array.from({ length }, (_, i) => ids[i] ?? pad)),
    { dtype: 'int64' },
  );
const roundUp = (n: number) => Math.ceil(n / 8) * 8;

/** A function that translates sentences with `beams` hypotheses each (1: greedy), `batchSize` sentences at a time. */
export function translator(model: Translator, subwords: Subwords, { beams = 1, batchSize = 32 } = {}) {
  // Encoded once per batch; every beam of a sentence reads the same row.
  const encode = compile((source: Tensor) =>
    noGrad(() => {
      const rows = source.repeatInterleave(beams, 0);
      const { features, states } = model.encode(rows);
      return [rows, features, ...states];
    }),
  );
  const next = compile((prefix: Tensor, position: Tensor, source: Tensor, features: Tensor, ...states: Tensor[]) =>
    noGrad(() => {
      const all = model.decode(prefix, { features, states }, source);
      return model.logits(all.indexSelect(1, position).squeeze(1));
    }),
  );
  const search = async (ids: readonly (readonly number[])[]): Promise<(readonly number[])[]> => {
    const [source, features, ...states] = await encode(padded(ids, roundUp(Math.max(...ids.map((s) => s.length)))));
    const step: DecoderStep = async (_tokens, _origins, prefixes) => {
      const { length } = prefixes[0];
      return await next(
        padded(prefixes, roundUp(length)),
        tensor([length - 1], { dtype: 'int64' }),
        source,
        features,
        ...states,
      );
    };
    const maxLength = Math.min(longest, 10 + Math.max(...ids.map((s) => Math.ceil(1.5 * s.length))));
    const options = { batch: ids.length, start, end, maxLength };
    if (beams === 1) return await greedySearch(step, options);
    return (await beamSearch(step, { ...options, beams, lengthPenalty: 0.6 })).map(([best]) => best.tokens);
  };
  return async (texts: readonly string[]): Promise<string[]> => {
    const order = texts
      .map((text, i) => ({ i, ids: sourceIds(text, subwords) }))
      .sort((a, b) => a.ids.length - b.ids.length);
    const out = texts.map(() => '');
    for (let at = 0; at < order.length; at += batchSize) {
      const batch = order.slice(at, at + batchSize);
      // An incomplete batch is filled with copies, so that no further shape is compiled.
      const rows = Array.from({ length: Math.min(batchSize, texts.length) }, (_, i) => (batch[i] ?? batch[0]).ids);
      const found = await search(rows);
      batch.forEach(({ i }, b) => {
        out[i] = subwords.decode(found[b]);
      });
    }
    return out;
  };
}
