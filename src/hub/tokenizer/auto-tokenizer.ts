/** @file AutoTokenizer: the tokenizer of a model, by folder or by name. */
import { openSource, type SourceOptions } from '../source.ts';
import { readTokenizerFiles, tokenizerFiles } from './files.ts';
import { Tokenizer, type TokenizerOptions } from './tokenizer.ts';

/** Loads tokenizers (transformers.AutoTokenizer). */
export const AutoTokenizer = {
  /**
   * Reads tokenizer.json, tokenizer_config.json and special_tokens_map.json of a folder or hub repository. For BERT,
   * vocab.txt is enough, for GPT-2 and RoBERTa vocab.json and merges.txt; special tokens that no file names are then those
   * of the tokenizer's class, which config.json's model type tells.
   * @param source a folder, or a hub repository such as `sentence-transformers/all-MiniLM-L6-v2`.
   * @throws FormatError for files that are broken or missing, FileError.
   */
  async fromPretrained(source: string, options: TokenizerOptions & SourceOptions = {}): Promise<Tokenizer> {
    return new Tokenizer(await readTokenizerFiles(await openSource(source, options)), options);
  },

  /**
   * A tokenizer from the contents of its files, for browsers.
   * @param files tokenizer.json, tokenizer_config.json, ... by name.
   * @throws FormatError for files that are broken or missing.
   */
  fromFiles(files: Readonly<Record<string, Uint8Array | string>>, options: TokenizerOptions = {}): Tokenizer {
    const entries = Object.entries(files);
    const bytes = (content: Uint8Array | string) =>
      typeof content === 'string' ? new TextEncoder().encode(content) : content;
    const raw = new Map(entries.map(([name, content]) => [name, bytes(content)]));
    return new Tokenizer(tokenizerFiles('the tokenizer', raw), options);
  },
};
