/** @file What splits one word into tokens: the models of tokenizer.json. */
import { FormatError, UnsupportedError } from '../../ir/errors.ts';
import { bpe } from './bpe.ts';
import { type Json, record, string } from './json.ts';
import { unigram } from './unigram.ts';
import type { TokenTable } from './vocabulary.ts';
import { wordpiece } from './wordpiece.ts';

/** Tokens of a word: id, and the UTF-16 units of the word that it covers, three numbers each. */
export type WordTokens = readonly number[];

/** Splits one word into tokens. */
export type WordModel = (word: string) => WordTokens;

/** @throws FormatError for unknown types and broken entries. */
export function modelOf(json: Json, table: TokenTable, byteLevel: boolean): WordModel {
  const config = record(json, 'model');
  // Files of old versions have no type.
  const type = config.type ?? (config.merges ? 'BPE' : Array.isArray(config.vocab) ? 'Unigram' : 'WordPiece');
  if (byteLevel && type !== 'BPE') throw new UnsupportedError(`model: ${type} on bytes`);
  switch (type) {
    case 'WordPiece':
      return cached(wordpiece(config, table));
    case 'BPE':
      return cached(bpe(config, table, byteLevel));
    case 'Unigram':
      return cached(unigram(config));
    case 'WordLevel': {
      const unknown = table.ids.get(string(config.unk_token ?? '<unk>', 'model.unk_token'));
      return (word) => {
        const id = table.ids.get(word) ?? unknown;
        return id === undefined ? [] : [id, 0, word.length];
      };
    }
    default:
      throw new FormatError(
        `tokenizer: model: unknown type ${JSON.stringify(config.type)}; there are WordPiece, BPE, Unigram, WordLevel`,
      );
  }
}

/** Longer parts of a text are not copies: as keys they would keep the whole text in memory. */
const maxKey = 12;
const maxEntries = 100_000;

/** Most words of a language come again and again. */
function cached(model: WordModel): WordModel {
  const memory = new Map<string, WordTokens>();
  return (word) => {
    if (word.length > maxKey) return model(word);
    let tokens = memory.get(word);
    if (tokens === undefined) {
      tokens = model(word);
      if (memory.size >= maxEntries) memory.clear();
      memory.set(word, tokens);
    }
    return tokens;
  };
}
