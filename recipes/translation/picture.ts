/** @file Where the translator looked: a heat map of target tokens by source tokens for each sentence. */
import { writeFile } from 'node:fs/promises';
import { noGrad, tensor } from 'gradus';
import { heatMap, report, showPicture } from 'gradus/plot';
import { sourceIds } from './data.ts';
import { start, type Translator } from './models.ts';
import type { Subwords } from './subwords.ts';

const batchOfOne = (ids: readonly number[]) => tensor([[...ids]], { dtype: 'int64' });

/** Attention of each token of a translation, and of its end, to the source tokens; the rows sum to 1. */
export async function attentionTo(model: Translator, subwords: Subwords, [source, target]: readonly [string, string]) {
  const from = sourceIds(source, subwords);
  const to = sourceIds(target, subwords);
  const weights = await noGrad(() => {
    const ids = batchOfOne(from);
    // What is fed is one behind what is answered: the row of a token is the step that wrote it.
    return model.attention(batchOfOne([start, ...to.slice(0, -1)]), model.encode(ids), ids).squeeze(0);
  }).array();
  return { weights: weights as number[][], rows: subwords.pieces(to), columns: subwords.pieces(from) };
}

/** Draws the attention for sentences and their translations. */
export async function drawAttention(
  path: string,
  model: Translator,
  subwords: Subwords,
  pairs: readonly (readonly [source: string, translation: string])[],
): Promise<void> {
  model.eval();
  const charts: string[] = [];
  for (const pair of pairs) {
    const { weights, rows, columns } = await attentionTo(model, subwords, pair);
    charts.push(heatMap(weights, { rows, columns, rowName: 'written', columnName: 'looked at', max: 1 }));
  }
  const picture = report(
    charts.map((chart) => [chart]),
    { title: 'Attention' },
  );
  await writeFile(path, picture);
  await showPicture(picture);
}
