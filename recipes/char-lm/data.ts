/** @file A text as streams of character numbers: training and validation part, cut into pieces whose state carries over. */
import { ArgumentError, type Tensor, tensor, Vocabulary } from 'gradus';
import { readFileBytes } from 'gradus/data/node';
import { dataFile } from '../data.ts';

/** Tiny Shakespeare (Karpathy 2015), 1,115,394 characters. */
const tinyShakespeare = {
  name: 'tinyshakespeare/input.txt.gz',
  url: 'https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt',
  md5: '6fb458f1232090904fb40fe944165e91',
};

export async function readText(data?: string): Promise<string> {
  const path = data?.endsWith('.txt') ? data : await dataFile(tinyShakespeare, data);
  const bytes = await readFileBytes(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ArgumentError(`${path} is not UTF-8 text; convert it first (iconv -f <its encoding> -t utf-8)`, {
      cause,
    });
  }
}

/** The characters of a text. Number 0 stands for all others: read as unknown, and never written. */
export function characters(text: string): Vocabulary {
  return Vocabulary.fit([text], { tokens: 'char', special: ['<unk>'], pad: '<unk>', unknown: '<unk>' });
}

/** Nine tenths to train on and the last tenth for validation, as nanoGPT splits it. */
export function split(ids: readonly number[]): [readonly number[], readonly number[]] {
  const at = Math.floor(ids.length * 0.9);
  return [ids.slice(0, at), ids.slice(at)];
}

/**
 * Cuts a text into `batch` streams of equal length and these into pieces of `steps` characters: piece i + 1 goes on where
 * piece i ends, row by row. x [batch, steps] and y, the next characters. The last piece may be shorter.
 * @throws ArgumentError for a text too short to give every stream two characters.
 */
export function* pieces(ids: readonly number[], batch: number, steps: number): Generator<{ x: Tensor; y: Tensor }> {
  const length = Math.floor((ids.length - 1) / batch);
  if (length < 1)
    throw new ArgumentError(
      `a text of ${ids.length} characters is too short for ${batch} streams; it needs ${batch + 1}`,
    );
  for (let at = 0; at < length; at += steps) {
    const n = Math.min(steps, length - at);
    const rows = (shift: number) =>
      Array.from({ length: batch }, (_, b) => ids.slice(b * length + at + shift, b * length + at + shift + n));
    yield { x: tensor(rows(0), { dtype: 'int64' }), y: tensor(rows(1), { dtype: 'int64' }) };
  }
}
