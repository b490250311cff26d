/** @file The files of a tokenizer: read from a folder or repository, kept as they are, written back. */
import { FormatError } from '../../ir/errors.ts';
import { readFileBounded, writeFileAtomic } from '../../train/files.ts';
import { nodeFiles } from '../../train/node-files.ts';
import type { ModelSource } from '../source.ts';
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
const maxBytes = 200_000_000;

/** Reads a tokenizer's files. @throws FormatError if there are none that Gradus can read, saying what to do. */
export async function readTokenizerFiles(source: ModelSource): Promise<TokenizerFiles> {
  const raw = new Map<string, Uint8Array>();
  for (const file of [main, configFile, mapFile, ...companions])
    if (await source.has(file)) raw.set(file, await readFileBounded(await source.path(file), maxBytes));
  return tokenizerFiles(source.name, raw);
}

/** Parses a tokenizer's files. @throws as readTokenizerFiles. */
export function tokenizerFiles(name: string, raw: ReadonlyMap<string, Uint8Array>): TokenizerFiles {
  const config = parse(raw, configFile, name) ?? {};
  const specialTokensMap = parse(raw, mapFile, name) ?? {};
  let tokenizer = parse(raw, main, name);
  const vocabulary = raw.get('vocab.txt');
  if (!tokenizer && vocabulary) tokenizer = bertTokenizerJson(textOf(vocabulary, `${name}/vocab.txt`), config);
  if (!tokenizer)
    throw new FormatError(
      `${name} holds no ${main}${raw.size ? ` (found: ${[...raw.keys()].join(', ')})` : ''}; in Python, AutoTokenizer.from_pretrained('${name}').save_pretrained('folder') writes one`,
    );
  return { name, tokenizer, config, specialTokensMap, raw };
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
