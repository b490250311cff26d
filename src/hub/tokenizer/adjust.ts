/**
 * @file tokenizer.json as the library is to read it. Where the library differs from Python's tokenizers, a part is
 * written in terms of parts in which they agree, so that the library still does all the work.
 */
import { FormatError, UnsupportedError } from '../../ir/errors.ts';
import { type Json, list, record, string } from './json.ts';

/** Before a run of ▁: Llama's texts are one word, but no merge crosses that place. */
export const beforeMarks = isolated('(?<!▁)(?=▁)');

/** What the library takes for punctuation, as in BERT, and what Rust takes for a letter of a word. */
const punctuation = '\\p{P}\\x21-\\x2F\\x3A-\\x40\\x5B-\\x60\\x7B-\\x7E';
const letter = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d';
/** GPT-2's words, with white space as Unicode defines it. */
const words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
/** Chinese characters of two UTF-16 units: the library looks at units. */
const farChinese =
  '[\\x{20000}-\\x{2A6DF}\\x{2A700}-\\x{2B73F}\\x{2B740}-\\x{2B81F}\\x{2B920}-\\x{2CEAF}\\x{2F800}-\\x{2FA1F}]';
/** What SentencePiece drops, and what it takes for a space. */
const dropped = '[\\x01-\\x08\\x0B\\x0E-\\x1F\\x7F\\u008F\\u009F]';
const spaces = '[\\x09\\x0A\\x0C\\x0D\\u1680\\u200B-\\u200F\\u2028\\u2029\\u2581\\uFEFF\\uFFFD]';

/** Python lowers each character on its own, JavaScript makes a sigma at the end of a word final. */
const sigma = replacing('Σ', 'σ');

/** @throws FormatError for broken entries. */
export function adjustedNormalizer(json: Json, where = 'normalizer'): Json {
  if (json === null || json === undefined) return null;
  const config = record(json, where);
  switch (config.type) {
    case 'Sequence':
      return steps(
        list(config.normalizers, `${where}.normalizers`).map((n, i) => adjustedNormalizer(n, `${where}[${i}]`)),
      );
    case 'BertNormalizer': {
      const lowercase = config.lowercase !== false;
      const chinese = config.handle_chinese_chars !== false;
      const defaults = { clean_text: config.clean_text !== false, handle_chinese_chars: chinese, lowercase };
      return steps([
        ...(lowercase ? [sigma] : []),
        ...(chinese ? [replacing(farChinese, ' $& ')] : []),
        { ...config, ...defaults },
      ]);
    }
    case 'Lowercase':
      return steps([sigma, config]);
    case 'Nmt':
      return steps([replacing(dropped, ''), replacing(spaces, ' ')]);
    case 'Strip':
      return { type: 'Strip', strip_left: config.strip_left !== false, strip_right: config.strip_right !== false };
    case 'Prepend':
      return { type: 'Prepend', prepend: string(config.prepend, `${where}.prepend`) };
    case 'Replace':
      // The library gives the text to JavaScript's replaceAll, where $ has a meaning.
      return replacing(
        patternOf(config.pattern, where),
        string(config.content, `${where}.content`).replaceAll('$', '$$$$'),
      );
    case 'Precompiled':
      return checkedMap(config.precompiled_charsmap, where) ? config : null;
    default:
      return config;
  }
}

/** @throws FormatError for broken entries, UnsupportedError for ways of splitting that the library lacks. */
export function adjustedPreTokenizer(json: Json, where = 'pre_tokenizer'): Json {
  if (json === null || json === undefined) return null;
  const config = record(json, where);
  switch (config.type) {
    case 'Sequence': {
      const all = list(config.pretokenizers, `${where}.pretokenizers`);
      return sequence(all.map((p, i) => adjustedPreTokenizer(p, `${where}[${i}]`)));
    }
    case 'BertPreTokenizer':
      return matches(`[^\\s${punctuation}]+|[${punctuation}]`);
    case 'Whitespace':
      return matches(`[${letter}]+|[^${letter}\\s]+`);
    case 'WhitespaceSplit':
      return matches('\\S+');
    case 'CharDelimiterSplit':
      return splitting(escaped(string(config.delimiter, `${where}.delimiter`)), 'removed', false);
    case 'Punctuation':
      return splitting(`[${punctuation}]`, config.behavior, false);
    case 'Digits':
      return splitting('\\p{N}', config.individual_digits === true ? 'isolated' : 'contiguous', false);
    case 'Split':
      return splitting(patternOf(config.pattern, where), config.behavior, config.invert === true);
    case 'Metaspace': {
      const mark = markOf(config, where);
      const scheme = config.prepend_scheme ?? (config.add_prefix_space === false ? 'never' : 'always');
      const marking = { type: 'Metaspace', replacement: mark, prepend_scheme: scheme };
      return config.split === false ? marking : sequence([marking, isolated(`(?=${escaped(mark)})`)]);
    }
    case 'ByteLevel': {
      const prefix = { type: 'Replace', pattern: { Regex: '\\A[^ ]' }, content: ' $&' };
      return sequence([
        ...(config.add_prefix_space === false ? [] : [prefix]),
        ...(config.use_regex === false ? [] : [isolated(words)]),
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ]);
    }
    default:
      return config;
  }
}

/** Parts of a normaliser or pre-tokeniser, those in sequences one by one. */
export function* partsOf(json: Json, where: string): Generator<Record<string, Json>> {
  if (json === null || json === undefined) return;
  const config = record(json, where);
  if (config.type !== 'Sequence') yield config;
  else for (const part of list(config.normalizers ?? config.pretokenizers ?? [], where)) yield* partsOf(part, where);
}

/** What a Metaspace writes for a space. @throws FormatError if that is no text. */
export function markOf(config: Record<string, Json>, where: string): string {
  return string(config.replacement ?? '▁', `${where}.replacement`);
}

function steps(normalizers: readonly Json[]): Json {
  return { type: 'Sequence', normalizers };
}

function sequence(pretokenizers: readonly Json[]): Json {
  return { type: 'Sequence', pretokenizers };
}

function replacing(regex: string, content: string): Json {
  return { type: 'Replace', pattern: { Regex: regex }, content };
}

/** The matches, and what lies between them. */
function isolated(regex: string): Json {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
}

/** The matches only. */
function matches(regex: string): Json {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Removed', invert: true };
}

/** The library knows two of the five ways of splitting; the others are longer matches. */
function splitting(regex: string, behavior: Json, invert: boolean): Json {
  const name = (typeof behavior === 'string' ? behavior : 'isolated').toLowerCase().replaceAll('_', '');
  if (name === 'removed') return { type: 'Split', pattern: { Regex: regex }, behavior: 'Removed', invert };
  if (name === 'isolated') return isolated(regex);
  if (name === 'contiguous') return isolated(`(?:${regex})+`);
  const between = `(?:(?!${regex})[\\s\\S])*`;
  if (name === 'mergedwithprevious' && !invert) return isolated(`${between}(?:${regex})`);
  if (name === 'mergedwithnext' && !invert) return isolated(`(?:${regex})${between}`);
  throw new UnsupportedError(
    `tokenizer: pre_tokenizer: behavior ${JSON.stringify(behavior)}${invert ? ' with invert' : ''} is not known`,
  );
}

function patternOf(json: Json, where: string): string {
  const { String: text, Regex: regex } = record(json, `${where}.pattern`);
  return text === undefined ? string(regex, `${where}.pattern`) : escaped(string(text, `${where}.pattern`));
}

export function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** Whether there is a character map. The library always applies SentencePiece's usual one, nmt_nfkc. */
function checkedMap(json: Json, where: string): boolean {
  const base64 = string(json ?? '', `${where}.precompiled_charsmap`);
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch (error) {
    throw new FormatError(`${where}: the character map is not base64`, { cause: error });
  }
  if (bytes.length === 0) return false;
  const size = bytes.length >= 4 ? new DataView(bytes.buffer).getUint32(0, true) : -1;
  if (size < 0 || size % 4 || size + 4 > bytes.length)
    throw new FormatError(`${where}: the character map of ${bytes.length} bytes says that it has a trie of ${size}`);
  return true;
}
