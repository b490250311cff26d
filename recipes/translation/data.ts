/** @file Parallel texts (Multi30k, or generated ones), a shared subword vocabulary, and batches of token numbers. */
import { ArgumentError, ArrayDataset, DataLoader, LengthBucketSampler, type NDArray, padCollate } from 'gradus';
import { readFileBytes } from 'gradus/data/node';
import { dataFile } from '../data.ts';
import { end, pad, start } from './models.ts';
import { countedThings, type Pair } from './numbers.ts';
import type { Subwords } from './subwords.ts';

export interface Corpus {
  readonly train: readonly Pair[];
  readonly validation: readonly Pair[];
  readonly test: readonly Pair[];
}

async function lines(split: string, language: string, data: string | undefined): Promise<string[]> {
  const name = `${split}.${language}.gz`;
  const url = `https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/${name}`;
  const bytes = await readFileBytes(await dataFile({ name: `multi30k/${name}`, url }, data));
  // Empty lines at the end stay: the other language may have text there.
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\n$/, '').split('\n');
}

/** Lines of two languages side by side. Pairs of which one is empty are left out. @throws ArgumentError for other counts. */
export function parallel(english: readonly string[], german: readonly string[]): Pair[] {
  if (english.length !== german.length)
    throw new ArgumentError(`parallel texts: ${english.length} English lines, but ${german.length} German ones`);
  return english.map((line, i): Pair => [line.trim(), german[i].trim()]).filter(([a, b]) => a && b);
}

/** Multi30k task 1 with its test set of 2016, English to German; or with `numbers` generated sentences. */
export async function readCorpus(source: string, data?: string): Promise<Corpus> {
  if (source === 'numbers') {
    const all = countedThings(2300, 1);
    return { train: all.slice(0, 2000), validation: all.slice(2000, 2100), test: all.slice(2100) };
  }
  const read = async (split: string) => parallel(await lines(split, 'en', data), await lines(split, 'de', data));
  return { train: await read('train'), validation: await read('val'), test: await read('test_2016_flickr') };
}

/** Longest sentence in tokens, start and end not counted; longer ones are cut. */
export const longest = 78;

const row = (ids: readonly number[]): NDArray => ({
  data: Float64Array.from(ids),
  shape: [ids.length],
  dtype: 'int64',
});

/** Token numbers of a source sentence: its end marked, at least the mark for an empty one. */
export const sourceIds = (text: string, subwords: Subwords): number[] => [
  ...subwords.encode(text).slice(0, longest),
  end,
];

/**
 * Batches { source, target, next } of int64 [batch, length], padded to multiples of 8: `target` is what the decoder is fed
 * (start, then the true tokens: teacher forcing), `next` what it should answer. With a seed sentences of similar length
 * come together in random order.
 */
export function batches(pairs: readonly Pair[], subwords: Subwords, batchSize: number, seed?: number) {
  const samples = pairs.map(([english, german]) => {
    const target = subwords.encode(german).slice(0, longest);
    return { source: row(sourceIds(english, subwords)), target: row([start, ...target]), next: row([...target, end]) };
  });
  const lengths = samples.map((s) => s.target.shape[0]);
  return new DataLoader(new ArrayDataset(samples), {
    batchSize,
    dropLast: seed !== undefined,
    ...(seed === undefined ? {} : { sampler: new LengthBucketSampler(lengths, { batchSize, seed }), seed }),
    collate: padCollate({ key: ['source', 'target', 'next'], value: pad, multipleOf: 8, mask: false }),
  });
}
