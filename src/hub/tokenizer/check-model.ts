/** @file The model of tokenizer.json as the library is to read it, checked. */
import { FormatError, UnsupportedError } from '../../ir/errors.ts';
import { type Json, list, number, record, string } from './json.ts';
import type { TokenTable } from './vocabulary.ts';

/** @throws FormatError for unknown types and broken entries, UnsupportedError for what the library lacks. */
export function checkedModel(json: Json, { ids }: TokenTable): Record<string, Json> {
  const config = record(json, 'model');
  // Files of old versions have no type.
  const type = config.type ?? (config.merges ? 'BPE' : Array.isArray(config.vocab) ? 'Unigram' : 'WordPiece');
  switch (type) {
    case 'WordPiece': {
      const unk = string(config.unk_token ?? '[UNK]', 'model.unk_token');
      if (!ids.has(unk)) throw new FormatError(`tokenizer: model.vocab lacks the unknown token ${unk}`);
      return {
        ...config,
        type,
        unk_token: unk,
        continuing_subword_prefix: string(config.continuing_subword_prefix ?? '##', 'model.continuing_subword_prefix'),
        max_input_chars_per_word: number(config.max_input_chars_per_word ?? 100, 'model.max_input_chars_per_word'),
      };
    }
    case 'BPE':
      if (config.continuing_subword_prefix)
        throw new UnsupportedError('tokenizer: model.continuing_subword_prefix is not known for BPE');
      for (const key of ['unk_token', 'end_of_word_suffix']) string(config[key] ?? '', `model.${key}`);
      return { ...config, type, merges: checkedMerges(list(config.merges, 'model.merges'), ids) };
    case 'Unigram':
      list(config.vocab, 'model.vocab').forEach((entry, id) => {
        const [token, score] = list(entry, `model.vocab[${id}]`);
        string(token, `model.vocab[${id}]`);
        number(score, `model.vocab[${id}]`);
      });
      return { ...config, type };
    case 'WordLevel':
      return { type, vocab: config.vocab, unk_token: string(config.unk_token ?? '<unk>', 'model.unk_token') };
    default:
      throw new FormatError(
        `tokenizer: model: unknown type ${JSON.stringify(config.type)}; there are WordPiece, BPE, Unigram, WordLevel`,
      );
  }
}

function checkedMerges(merges: readonly Json[], ids: ReadonlyMap<string, number>): string[][] {
  return merges.map((merge, rank) => {
    const where = `model.merges[${rank}]`;
    const pair = Array.isArray(merge) ? merge : string(merge, where).split(' ');
    const [left, right] = [string(pair[0], where), string(pair[1], where)];
    if (!ids.has(left) || !ids.has(right) || !ids.has(left + right))
      throw new FormatError(`tokenizer: ${where}: "${left} ${right}" or its result is not in the vocabulary`);
    return [left, right];
  });
}
