/** @file A byte-level BPE vocabulary learned from the training texts of both languages. */
import { type Tokenizer, trainTokenizer } from 'gradus';
import { end, pad, start } from './models.ts';

/** Texts to token numbers and back; the numbers of `models.ts` stand for padding, start and end. */
export class Subwords {
  readonly #tokenizer: Tokenizer;

  private constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Learns `size` tokens. */
  static async learn(texts: readonly string[], size: number): Promise<Subwords> {
    const specialTokens = ['<pad>', '<s>', '</s>'];
    const spaced = texts.map((text) => ` ${text}`);
    return new Subwords(await trainTokenizer(spaced, { type: 'bpe', vocabSize: size, specialTokens }));
  }

  get size(): number {
    return this.#tokenizer.vocabSize;
  }

  /** Every text has token numbers, bytes at worst; the empty one has none. Special tokens written in a text are left out. */
  encode(text: string): number[] {
    // A space in front, so that a word has one number wherever it stands.
    const { inputIds } = this.#tokenizer.encode(` ${text.trim()}`, { addSpecialTokens: false });
    return inputIds.filter((id) => ![pad, start, end].includes(id));
  }

  decode(ids: readonly number[]): string {
    return this.#tokenizer.decode([...ids], { skipSpecialTokens: true }).trim();
  }

  /** The text of each token, for people. */
  pieces(ids: readonly number[]): string[] {
    return ids.map((id) => this.#tokenizer.decode([id], { skipSpecialTokens: false }).trim() || '·');
  }

  /** Writes tokenizer.json, which Python's transformers reads. */
  async save(folder: string): Promise<void> {
    await this.#tokenizer.savePretrained(folder);
  }
}
