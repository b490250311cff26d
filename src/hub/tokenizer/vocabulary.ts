/** @file The tokens of tokenizer.json and their numbers: those of the model and those added to it. */
import { FormatError } from '../../ir/errors.ts';
import { type Json, list, record, string, tokenNumber } from './json.ts';

/** A token that is found in texts before they are split (tokenizers.AddedToken). */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Found only as a whole word. */
  readonly singleWord: boolean;
  /** Takes in the white space to its left, to its right. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Searched in the normalised text instead of the original one. */
  readonly normalized: boolean;
  /** Left out by `decode` with `skipSpecialTokens`. */
  readonly special: boolean;
}

/** Ids far above the number of tokens would make the tables of a hostile file huge. */
const maxId = 16_000_000;

/** Both directions of the vocabulary. */
export class TokenTable {
  readonly ids = new Map<string, number>();
  readonly tokens: (string | undefined)[] = [];
  readonly added: AddedToken[] = [];
  /** Ids of added tokens that the model does not have: words that look like them are unknown. */
  readonly foreign = new Set<number>();
  /** Unigram's: an unknown word's token is its text. */
  readonly textualUnknown: number | undefined;
  /** Number of entries before tokens were added. */
  readonly modelSize: number;

  constructor(tokenizer: Record<string, Json>) {
    const model = record(tokenizer.model, 'model');
    if (Array.isArray(model.vocab))
      model.vocab.forEach((entry, id) => {
        const token = string(Array.isArray(entry) ? entry[0] : entry, `model.vocab[${id}]`);
        // Of equal tokens the last counts, as in the original.
        this.ids.set(token, id);
        this.tokens[id] = token;
      });
    else
      for (const [token, id] of Object.entries(record(model.vocab, 'model.vocab')))
        this.#set(token, tokenNumber(id, `model.vocab: ${JSON.stringify(token)}`));
    this.modelSize = this.ids.size;
    this.textualUnknown = Array.isArray(model.vocab) && typeof model.unk_id === 'number' ? model.unk_id : undefined;
    for (const [i, json] of list(tokenizer.added_tokens ?? [], 'added_tokens').entries()) {
      const entry = record(json, `added_tokens[${i}]`);
      const id = tokenNumber(entry.id, `added_tokens[${i}].id`);
      this.add(addedToken(string(entry.content, `added_tokens[${i}].content`), id, entry));
    }
  }

  /** Numbers that ids can have: one more than the highest. */
  get size(): number {
    return this.tokens.length;
  }

  add(token: AddedToken): void {
    if (!this.ids.has(token.content)) this.foreign.add(token.id);
    this.#set(token.content, token.id);
    const known = this.added.findIndex((t) => t.content === token.content);
    if (known < 0) this.added.push(token);
    else this.added[known] = token;
  }

  #set(token: string, id: number): void {
    if (id > maxId)
      throw new FormatError(`tokenizer: token ${JSON.stringify(token)} has id ${id}: expected at most ${maxId}`);
    this.ids.set(token, id);
    this.tokens[id] = token;
  }
}

/** An added token with tokenizers' defaults for what its entry lacks. */
export function addedToken(content: string, id: number, entry: Record<string, Json>): AddedToken {
  const special = entry.special === true;
  return {
    id,
    content,
    special,
    singleWord: entry.single_word === true,
    lstrip: entry.lstrip === true,
    rstrip: entry.rstrip === true,
    normalized: typeof entry.normalized === 'boolean' ? entry.normalized : !special,
  };
}
