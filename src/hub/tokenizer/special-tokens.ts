/** @file Special tokens by role, from tokenizer_config.json and special_tokens_map.json. */
import { type Json, record } from './json.ts';
import { type AddedToken, addedToken, type TokenTable } from './vocabulary.ts';

/** Roles in the order in which transformers adds tokens that a vocabulary lacks. */
const roles = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'] as const;
type Role = (typeof roles)[number];

/** Tokens by role; those that a model does not use are undefined. */
export type SpecialTokens = { readonly [K in `${Role}Token`]?: string };

interface Named {
  readonly content: string;
  readonly entry: Record<string, Json>;
}

function named(json: Json, where: string): Named | undefined {
  if (typeof json === 'string') return { content: json, entry: {} };
  if (json === null || json === undefined) return undefined;
  const entry = record(json, where);
  return typeof entry.content === 'string' ? { content: entry.content, entry } : undefined;
}

/**
 * The special tokens of a tokenizer; those that its vocabulary lacks are added to it, as transformers does.
 * @param overrides replace those of the files.
 */
export function specialTokens(
  table: TokenTable,
  config: Record<string, Json>,
  map: Record<string, Json>,
  overrides: SpecialTokens,
): SpecialTokens {
  const decoder = config.added_tokens_decoder;
  if (decoder !== undefined && decoder !== null)
    for (const [id, json] of Object.entries(record(decoder, 'added_tokens_decoder'))) {
      const token = named(json, `added_tokens_decoder.${id}`);
      if (token && !table.ids.has(token.content)) addSpecial(table, token, token.entry.special === true);
    }
  const result: { [K in `${Role}Token`]?: string } = {};
  for (const role of roles) {
    const key = `${role}_token`;
    const token = named(overrides[`${role}Token`] ?? config[key] ?? map[key], key);
    if (!token) continue;
    if (!table.added.some((t) => t.content === token.content)) addSpecial(table, token, true);
    result[`${role}Token`] = token.content;
  }
  for (const key of ['additional_special_tokens', 'extra_special_tokens']) {
    const extra = config[key] ?? map[key];
    const values = Array.isArray(extra)
      ? extra
      : typeof extra === 'object' && extra !== null
        ? Object.values(extra)
        : [];
    for (const json of values) {
      const token = named(json, key);
      if (token && !table.added.some((t) => t.content === token.content)) addSpecial(table, token, true);
    }
  }
  return result;
}

function addSpecial(table: TokenTable, { content, entry }: Named, special: boolean): void {
  const id = table.ids.get(content) ?? table.size;
  const token: AddedToken = addedToken(content, id, { ...entry, special });
  table.add(token);
}
