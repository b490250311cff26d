/** @file WordPiece: the longest token first (tokenizers/src/models/wordpiece). */
import { FormatError } from '../../ir/errors.ts';
import { type Json, number, string } from './json.ts';
import type { WordModel } from './model.ts';
import type { TokenTable } from './vocabulary.ts';

/** @throws FormatError if the unknown token is not in the vocabulary. */
export function wordpiece(config: Record<string, Json>, { ids }: TokenTable): WordModel {
  const prefix = string(config.continuing_subword_prefix ?? '##', 'model.continuing_subword_prefix');
  const maxChars = number(config.max_input_chars_per_word ?? 100, 'model.max_input_chars_per_word');
  const unkToken = string(config.unk_token ?? '[UNK]', 'model.unk_token');
  const unk = ids.get(unkToken);
  if (unk === undefined) throw new FormatError(`tokenizer: model.vocab lacks the unknown token ${unkToken}`);
  const starts = new Map<string, number>();
  const continuations = new Map<string, number>();
  let longest = 1;
  for (const [token, id] of ids) {
    starts.set(token, id);
    if (token.startsWith(prefix)) continuations.set(token.slice(prefix.length), id);
    longest = Math.max(longest, token.length);
  }
  return (word) => {
    const unknown = [unk, 0, word.length];
    if (word.length > maxChars && lengthOf(word) > maxChars) return unknown;
    const found: number[] = [];
    for (let start = 0; start < word.length; ) {
      const table = start === 0 ? starts : continuations;
      let end = Math.min(word.length, start + longest);
      let id: number | undefined;
      for (; end > start; end--) {
        id = table.get(word.slice(start, end));
        if (id !== undefined) break;
      }
      if (id === undefined) return unknown;
      found.push(id, start, end);
      start = end;
    }
    return found;
  };
}

function lengthOf(word: string): number {
  let count = 0;
  for (const _ of word) count++;
  return count;
}
