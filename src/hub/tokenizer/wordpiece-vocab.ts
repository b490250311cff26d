/** @file tokenizer.json for BERT folders that have only vocab.txt. */
import { FormatError } from '../../ir/errors.ts';
import type { Json } from './json.ts';

/** Tokenizer of BERT's vocabulary file, one token a line (transformers.BertTokenizer). @throws FormatError. */
export function bertTokenizerJson(vocabulary: string, config: Record<string, Json>): Record<string, Json> {
  const lines = vocabulary.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  const vocab: Record<string, number> = Object.create(null);
  for (const [id, token] of lines.entries()) vocab[token] = id;
  const name = (key: string, fallback: string) => {
    const json = config[key];
    if (typeof json === 'string') return json;
    return typeof json === 'object' && json !== null && 'content' in json && typeof json.content === 'string'
      ? json.content
      : fallback;
  };
  const [unk, sep, pad, cls, mask] = [
    name('unk_token', '[UNK]'),
    name('sep_token', '[SEP]'),
    name('pad_token', '[PAD]'),
    name('cls_token', '[CLS]'),
    name('mask_token', '[MASK]'),
  ];
  for (const token of [unk, sep, cls])
    if (!(token in vocab)) throw new FormatError(`vocab.txt: BERT's tokenizer needs the token ${token}`);
  const ids = [pad, unk, cls, sep, mask].filter((t) => t in vocab).map((content) => ({ content, id: vocab[content] }));
  return bertTokenizer(vocab, ids, {
    unk,
    sep,
    cls,
    lowercase: config.do_lower_case !== false,
    stripAccents: typeof config.strip_accents === 'boolean' ? config.strip_accents : null,
    chinese: config.tokenize_chinese_chars !== false,
  });
}

/** tokenizer.json of a BERT tokenizer. */
export function bertTokenizer(
  vocab: Readonly<Record<string, number>>,
  special: readonly { content: string; id: number }[],
  options: {
    unk: string;
    sep: string;
    cls: string;
    lowercase: boolean;
    stripAccents: boolean | null;
    chinese: boolean;
  },
): Record<string, Json> {
  const { unk, sep, cls } = options;
  const token = (id: string, typeId: number) => ({ SpecialToken: { id, type_id: typeId } });
  const sequence = (id: string, typeId: number) => ({ Sequence: { id, type_id: typeId } });
  const single = [token(cls, 0), sequence('A', 0), token(sep, 0)];
  const entry = (id: string) => [id, { id, ids: [vocab[id]], tokens: [id] }] as const;
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map(({ content, id }) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: options.chinese,
      strip_accents: options.stripAccents,
      lowercase: options.lowercase,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single,
      pair: [...single, sequence('B', 1), token(sep, 1)],
      special_tokens: Object.fromEntries([entry(cls), entry(sep)]),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: unk,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}
