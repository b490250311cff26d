/** @file The files of a tokenizer: read from a folder or repository, kept as they are, written back. */
import { FormatError } from '../../ir/errors.ts';
import { readFileBounded, writeFileAtomic } from '../../train/files.ts';
import { nodeFiles } from '../../train/node-files.ts';
import type { ModelSource } from '../source.ts';
import { byteLevelTokenizerJson } from './byte-level-vocab.ts';
import { defaultTokens, kindOf, type VocabularyKind } from './defaults.ts';
import { type Json, record } from './json.ts';
import { bertTokenizerJson } from './wordpiece-vocab.ts';

/** What a tokenizer is made of. */
export interface TokenizerFiles {
  /** For messages. */
  readonly name: string;
  readonly tokenizer: Record<string, Json>;
  readonly config: Record<string, Json>;
  readonly specialTokensMap: Record<string, Json>;
  /** The files as they were read, by name; for those not made from others. */
  readonly raw: ReadonlyMap<string, Uint8Array>;
}

const main = 'tokenizer.json';
const configFile = 'tokenizer_config.json';
const mapFile = 'special_tokens_map.json';
/** Other files that transformers may look for; carried along. */
const companions = [
  'vocab.txt',
  'vocab.json',
  'merges.txt',
  'added_tokens.json',
  'spiece.model',
  'sentencepiece.bpe.model',
  'tokenizer.model',
  'chat_template.jinja',
];
/** Tells the type of the model. */
const modelFile = 'config.json';
const maxBytes = 200_000_000;

/** Reads a tokenizer's files. @throws FormatError if there are none that Gradus can read, saying what to do. */
export async function readTokenizerFiles(source: ModelSource): Promise<TokenizerFiles> {
  const raw = new Map<string, Uint8Array>();
  for (const file of [modelFile, main, configFile, mapFile, ...companions])
    if (await source.has(file)) raw.set(file, await readFileBounded(await source.path(file), maxBytes));
  return tokenizerFiles(source.name, raw);
}

/** Parses a tokenizer's files; config.json tells the type of the model. @throws as readTokenizerFiles. */
export function tokenizerFiles(name: string, given: ReadonlyMap<string, Uint8Array>): TokenizerFiles {
  const raw = new Map(given);
  const modelType = parse(raw, modelFile, name)?.model_type;
  raw.delete(modelFile);
  const read = parse(raw, configFile, name) ?? {};
  const specialTokensMap = parse(raw, mapFile, name) ?? {};
  const found = parse(raw, main, name);
  const known = kindOf(read, typeof modelType === 'string' ? modelType : undefined);
  const kind = known?.kind ?? (found ? undefined : kindOfFiles(raw));
  const tokens = kind ? defaultTokens(kind, read, specialTokensMap) : {};
  const made = found ?? fromVocabulary(kind, raw, read, { ...specialTokensMap, ...tokens }, name);
  if (!made)
    throw new FormatError(
      `${name} holds no ${main}${raw.size ? ` (found: ${[...raw.keys()].join(', ')})` : ''}; in Python, AutoTokenizer.from_pretrained('${name}').save_pretrained('folder') writes one`,
    );
  // A tokenizer.json of its own may have other tokens than its class is used to.
  const usable = Object.entries(tokens).filter(([, token]) => !found || holds(found, token));
  const named = found || !kind ? {} : { tokenizer_class: known?.name ?? classes[kind] };
  const config = { ...named, ...Object.fromEntries(usable), ...read };
  return { name, tokenizer: made, config, specialTokensMap, raw };
}

const classes = { bert: 'BertTokenizer', roberta: 'RobertaTokenizer', gpt2: 'GPT2Tokenizer' } as const;

/** What a vocabulary is of, where nothing names a class or a model. */
function kindOfFiles(raw: ReadonlyMap<string, Uint8Array>): VocabularyKind | undefined {
  if (raw.has('vocab.txt')) return 'bert';
  if (!raw.has('vocab.json') || !raw.has('merges.txt')) return undefined;
  const vocabulary = new TextDecoder().decode(raw.get('vocab.json'));
  if (vocabulary.includes('"</s>"')) return 'roberta';
  return vocabulary.includes('"<|endoftext|>"') ? 'gpt2' : undefined;
}

/** A tokenizer made of a vocabulary; undefined if its files are not there. */
function fromVocabulary(
  kind: VocabularyKind | undefined,
  raw: ReadonlyMap<string, Uint8Array>,
  config: Record<string, Json>,
  tokens: Record<string, Json>,
  name: string,
): Record<string, Json> | undefined {
  const words = raw.get('vocab.txt');
  if (words && (kind === 'bert' || kind === undefined))
    return bertTokenizerJson(textOf(words, `${name}/vocab.txt`), { ...tokens, ...config });
  const vocabulary = parse(raw, 'vocab.json', name);
  const merges = raw.get('merges.txt');
  if (!vocabulary || !merges || kind === undefined || kind === 'bert') return undefined;
  const named = Object.entries({ ...tokens, ...config }).flatMap(([role, json]) => {
    const token = typeof json === 'object' && json !== null && 'content' in json ? json.content : json;
    return role.endsWith('_token') && typeof token === 'string' ? [[role, token]] : [];
  });
  const text = textOf(merges, `${name}/merges.txt`);
  return byteLevelTokenizerJson(kind, vocabulary, text, config, Object.fromEntries(named));
}

function holds({ model, added_tokens: added }: Record<string, Json>, token: string): boolean {
  const vocab = typeof model === 'object' && model !== null && 'vocab' in model ? model.vocab : undefined;
  if (typeof vocab === 'object' && vocab !== null && !Array.isArray(vocab) && Object.hasOwn(vocab, token)) return true;
  const hasContent = (entry: Json) =>
    typeof entry === 'object' && entry !== null && 'content' in entry && entry.content === token;
  return Array.isArray(added) && added.some(hasContent);
}

/** The files as they were read, and those that were not read from a file. @param changes of tokenizer_config.json. */
export function allFiles(files: TokenizerFiles, changes: Record<string, Json>): Map<string, Uint8Array> {
  const all = new Map(files.raw);
  const bytes = (json: Json) => new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`);
  if (!all.has(main)) all.set(main, bytes(files.tokenizer));
  if (!all.has(configFile) || Object.keys(changes).length) all.set(configFile, bytes({ ...files.config, ...changes }));
  return all;
}

/** Writes files into a folder. @throws FileError. */
export async function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const { path } = nodeFiles();
  for (const [name, bytes] of files) await writeFileAtomic(path.join(folder, name), bytes);
}

function textOf(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new FormatError(`${where} is not UTF-8 text`, { cause: error });
  }
}

function parse(raw: ReadonlyMap<string, Uint8Array>, file: string, name: string): Record<string, Json> | undefined {
  const bytes = raw.get(file);
  if (!bytes) return undefined;
  const text = textOf(bytes, `${name}/${file}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new FormatError(`${name}/${file} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  return record(json, `${name}/${file}`);
}
