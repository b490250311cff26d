/** @file tokenizer.json for folders of GPT-2 and RoBERTa that have only vocab.json and merges.txt. */
import { FormatError } from '../../ir/errors.ts';
import type { VocabularyKind } from './defaults.ts';
import { type Json, tokenNumber } from './json.ts';

/**
 * Tokenizer of a byte-level vocabulary (transformers.GPT2Tokenizer, RobertaTokenizer).
 * @param tokens names of the special tokens by role.
 * @throws FormatError.
 */
export function byteLevelTokenizerJson(
  kind: Exclude<VocabularyKind, 'bert'>,
  vocabulary: Readonly<Record<string, Json>>,
  merges: string,
  config: Readonly<Record<string, Json>>,
  tokens: Readonly<Record<string, string>>,
): Record<string, Json> {
  const vocab = new Map(
    Object.entries(vocabulary).map(([token, id]) => [token, tokenNumber(id, `vocab.json: ${JSON.stringify(token)}`)]),
  );
  const idOf = (token: string): number => {
    const id = vocab.get(token);
    if (id === undefined) throw new FormatError(`vocab.json: ${kind}'s tokenizer needs the token ${token}`);
    return id;
  };
  const addPrefixSpace = config.add_prefix_space === true;
  const byteLevel = { type: 'ByteLevel', add_prefix_space: addPrefixSpace, trim_offsets: true, use_regex: true };
  const special = [...new Set(Object.values(tokens))].filter((token) => vocab.has(token));
  const sides = { single_word: false, rstrip: false, normalized: false, special: true };
  const [cls, sep] = [tokens.cls_token, tokens.sep_token];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content) => ({
      id: idOf(content),
      content,
      // A mask takes in the space before it, as words do.
      lstrip: kind === 'roberta' && content === tokens.mask_token,
      ...sides,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor:
      kind === 'gpt2'
        ? { ...byteLevel, trim_offsets: false }
        : {
            type: 'RobertaProcessing',
            sep: [sep, idOf(sep)],
            cls: [cls, idOf(cls)],
            trim_offsets: true,
            add_prefix_space: addPrefixSpace,
          },
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab),
      merges: mergesOf(merges),
    },
  };
}

/** Pairs, a line each, after a line with the version. */
function mergesOf(text: string): [string, string][] {
  const lines = text.split(/\r?\n/).filter((line, i) => line !== '' && !(i === 0 && line.startsWith('#version')));
  return lines.map((line) => {
    const [left, right, more] = line.split(' ');
    if (!left || !right || more !== undefined)
      throw new FormatError(`merges.txt: expected two parts in a line, found ${JSON.stringify(line.slice(0, 60))}`);
    return [left, right];
  });
}
