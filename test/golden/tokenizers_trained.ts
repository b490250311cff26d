/** @file The corpus on which tokenizers are trained for tokenizers_trained.json; run by tokenizers_trained.py. */
import { fileURLToPath } from 'node:url';
import { type Tokenizer, trainTokenizer } from '../../src/hub/tokenizer/index.ts';

export const corpus = [
  'the lower the newer, the wider the slower: lowest, newest, widest, slowest.',
  'low low low low lower lower newest newest newest widest widest',
  'It is unforgettable, unbelievable, unmissable; the film is believable and the filming was missed.',
  'Café crème brûlée! Über naïve façades, 日本語 と 中文, Привет мир 😀😀',
  'numbers 1 12 123 1234, x = y + 1; f(x) -> f(y)',
];

/** Trains a tokenizer and gives its tokenizer.json. */
export async function trainedFile(type: 'wordpiece' | 'bpe'): Promise<[Tokenizer, string]> {
  const tokenizer = await trainTokenizer(corpus, { type, vocabSize: type === 'bpe' ? 320 : 150 });
  return [tokenizer, new TextDecoder().decode(tokenizer.toFiles().get('tokenizer.json'))];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [[, wordpiece], [, bpe]] = [await trainedFile('wordpiece'), await trainedFile('bpe')];
  process.stdout.write(JSON.stringify({ corpus, wordpiece, bpe }));
}
