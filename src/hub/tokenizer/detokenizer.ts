/** @file Token ids to text: the library's decoders, with the few differences from Python's tokenizers mended. */
import type { Json } from './json.ts';
import type { Library, LibraryDecoder } from './library-engine.ts';
import type { TokenTable } from './vocabulary.ts';

export interface DetokenizeOptions {
  readonly skipSpecialTokens: boolean;
  readonly cleanUp: boolean;
}

/** Decodes ids, all of which exist. */
export class Detokenizer {
  readonly #decoder: LibraryDecoder | null;
  /** As a text shows them. */
  readonly #tokens: readonly (string | undefined)[];
  readonly #special: ReadonlySet<number>;
  readonly #cleans: boolean;

  constructor({ tokenizer, cleansDecoded }: Library, { tokens, added }: TokenTable) {
    const { decoder, normalizer } = tokenizer;
    // Added tokens that are looked for in the normalised text are written as they are found there.
    const shown = added.filter((t) => t.normalized && !t.special);
    const changed = new Map(shown.map((t) => [t.id, normalizer?.normalize(t.content) ?? t.content]));
    this.#tokens = tokens.map((token, id) => changed.get(id) ?? token);
    this.#special = new Set(added.filter((t) => t.special).map((t) => t.id));
    this.#decoder = decoder;
    this.#cleans = cleansDecoded;
    if (decoder)
      mend(
        decoder,
        added.map(({ id, content }) => ({ content: changed.get(id) ?? content })),
      );
  }

  decode(ids: readonly number[], { skipSpecialTokens, cleanUp }: DetokenizeOptions): string {
    const kept = skipSpecialTokens ? ids.filter((id) => !this.#special.has(id)) : ids;
    const tokens = kept.map((id) => this.#tokens[id] ?? '');
    const text = this.#decoder ? this.#decoder.decode_chain(tokens).join('') : tokens.join(' ');
    return cleanUp && this.#cleans ? cleaned(text) : text;
  }
}

/** Spaces that splitting put there, in the order in which transformers removes them (clean_up_tokenization). */
const cleanings = [' .', ' ?', ' !', ' ,', " ' ", " n't", " 'm", " 's", " 've", " 're"];

function cleaned(text: string): string {
  return cleanings.reduce((done, spaced) => done.replaceAll(spaced, spaced.trim()), text);
}

/** Bytes as tokenizers' ByteFallback reads them: a byte order mark stays, and of what is no UTF-8 each byte is U+FFFD. */
const fallbackBytes = {
  decode(bytes: Uint8Array): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return '\ufffd'.repeat(bytes.length);
    }
  },
};

function mend(decoder: LibraryDecoder, added: readonly { readonly content: string }[]): void {
  for (const part of decoder.decoders ?? []) mend(part, added);
  switch (decoder.config?.type) {
    case 'ByteLevel':
      // These are not spelled in bytes.
      decoder.added_tokens = added;
      break;
    case 'ByteFallback':
      decoder.text_decoder = fallbackBytes;
      break;
    case 'Metaspace':
      decoder.decode_chain = metaspace(decoder.config);
      break;
  }
}

/** Marks become spaces; those of the first token are left out, unless none was put before the text. */
function metaspace(config: Record<string, Json>): (tokens: readonly string[]) => string[] {
  const mark = typeof config.replacement === 'string' && config.replacement !== '' ? config.replacement : '▁';
  const keepsFirst = config.prepend_scheme === 'never' || (config.prepend_scheme ?? config.add_prefix_space) === false;
  return (tokens) => tokens.map((token, i) => token.replaceAll(mark, i === 0 && !keepsFirst ? '' : ' '));
}
