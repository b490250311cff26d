/** @file The Free Spoken Digit Dataset: clips by digit, speaker and number; split, letters, batches of padded sound. */
import {
  ArgumentError,
  ArrayDataset,
  DataError,
  DataLoader,
  FormatError,
  LengthBucketSampler,
  type NDArray,
  padCollate,
  parseWav,
  prepareSound,
  transforms,
} from 'gradus';
import { readTar } from 'gradus/data/node';
import { dataFile } from '../data.ts';

export const sampleRate = 8000;

const archive = {
  name: 'fsdd/recordings.tar.gz',
  url: 'https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/heads/master.tar.gz',
};

const digits = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];

/** Letters of the digits' names; number 0 is CTC's blank. */
const letters = [...new Set(digits.join(''))].sort();
export const classes = letters.length + 1;
export const spell = (labels: readonly number[]): string => labels.map((c) => letters[c - 1]).join('');
/** 0 where letters begin a digit's name, and next to impossible where they do not: a dictionary for `ctcBeamSearch`. */
export const inDictionary = (labels: readonly number[], next: number): number =>
  digits.some((word) => word.startsWith(spell([...labels, next]))) ? 0 : -1e6;
export const isWord = (text: string): boolean => digits.includes(text);
const lettersOf = (word: string) => Array.from(word, (c) => letters.indexOf(c) + 1);

export interface Clip {
  readonly name: string;
  /** float32 [length] at 8 kHz. */
  readonly samples: NDArray;
  readonly word: string;
  readonly speaker: string;
  /** Clips 0 to 4 of each digit and speaker are for the test, as the set's authors say. */
  readonly isTest: boolean;
}

/** All clips of an archive of `<digit>_<speaker>_<number>.wav`; those that cannot be used are listed with the reason. */
export async function loadClips(data?: string): Promise<{ clips: Clip[]; refused: string[] }> {
  const path = data?.endsWith('.gz') ? data : await dataFile(archive, data);
  const clips: Clip[] = [];
  const refused: string[] = [];
  for (const { name, bytes } of await readTar(path)) {
    const parts = /(?:^|\/)((\d)_([a-z]+)_(\d+))\.wav$/.exec(name);
    if (!parts) continue;
    const [, short, digit, speaker, index] = parts;
    try {
      const samples = prepareSound(parseWav(bytes, { name: short }), { sampleRate, name: short });
      clips.push({ name: short, samples, word: digits[Number(digit)], speaker, isTest: Number(index) < 5 });
    } catch (error) {
      if (!(error instanceof DataError || error instanceof FormatError)) throw error;
      refused.push(error.message);
    }
  }
  if (clips.length === 0) throw new ArgumentError(`${path}: no file named <digit>_<speaker>_<number>.wav can be used`);
  return { clips, refused };
}

const augment = transforms.compose([transforms.randomGain([-8, 4]), transforms.addNoise([15, 45])]);
const int64 = (values: readonly number[]): NDArray => ({
  data: Float64Array.from(values),
  shape: [values.length],
  dtype: 'int64',
});

/** All words are as long as the longest, filled with blanks, so that batches have one shape. */
const longest = Math.max(...digits.map((word) => word.length));

/**
 * Batches { x [batch, samples], lengths, letters [batch, 5], count, speaker }, x padded to whole half seconds so that few
 * shapes are compiled. With a seed: clips of similar length together in random order, volume and noise varied.
 */
export function batches(clips: readonly Clip[], speakers: readonly string[], batchSize: number, seed?: number) {
  const isTraining = seed !== undefined;
  const dataset = new ArrayDataset([...clips]).map((clip, random) => ({
    x: isTraining ? augment(clip.samples, random) : clip.samples,
    letters: int64(Array.from({ length: longest }, (_, i) => lettersOf(clip.word)[i] ?? 0)),
    count: clip.word.length,
    speaker: speakers.indexOf(clip.speaker),
  }));
  const lengths = clips.map((c) => c.samples.shape[0]);
  const sampler = isTraining ? new LengthBucketSampler(lengths, { batchSize, seed, blockBatches: 8 }) : undefined;
  return new DataLoader(dataset, {
    batchSize,
    dropLast: isTraining,
    ...(sampler ? { sampler, seed } : {}),
    collate: padCollate({ key: 'x', multipleOf: sampleRate / 2, mask: false, lengths: 'lengths' }),
  });
}
