/** @file Tokenizer: texts to token ids and back, as transformers' fast tokenizers do. */
import { ArgumentError } from '../../ir/errors.ts';
import { addedCount, assemble } from './assemble.ts';
import { Detokenizer } from './detokenizer.ts';
import { allFiles, type TokenizerFiles, writeFiles } from './files.ts';
import type { Json } from './json.ts';
import { openLibrary } from './library-engine.ts';
import { paddedLength, padEncoding, stackEncodings } from './pad.ts';
import { Pipeline } from './pipeline.ts';
import { type SpecialTokens, specialTokens } from './special-tokens.ts';
import { type Template, templateOf } from './template.ts';
import { trimSpaces } from './trim-offsets.ts';
import type { BatchEncoding, EncodeOptions, Encoding, TokenSequence, WindowedBatchEncoding } from './types.ts';
import { TokenTable } from './vocabulary.ts';

/** What may differ from the tokenizer's files. */
export interface TokenizerOptions extends SpecialTokens {
  /** Longest input of the model in tokens, for `truncation` and `padding: 'maxLength'` without `maxLength`. */
  readonly modelMaxLength?: number;
  readonly paddingSide?: 'left' | 'right';
  readonly truncationSide?: 'left' | 'right';
}

/** Options of a batch: those of one text, with a second text for each. */
export type BatchOptions = Omit<EncodeOptions, 'textPair'> & { readonly textPair?: readonly string[] };

export interface DecodeOptions {
  /** Leave out [CLS], padding and the like. Default false. */
  readonly skipSpecialTokens?: boolean;
  /**
   * Remove the spaces before punctuation that splitting put there. Default: as the tokenizer's files say. BPE keeps the
   * spaces of texts and ignores this, as in transformers.
   */
  readonly cleanUpTokenizationSpaces?: boolean;
}

/** Classes of transformers whose models take token types. */
const typedClasses =
  /^(Bert|Electra|MobileBert|ConvBert|Deberta|DebertaV2|Funnel|LayoutLM|BigBird|SqueezeBert|RoFormer)Tokenizer/;

/**
 * Texts to token ids and back. Made by `AutoTokenizer.fromPretrained` or `trainTokenizer`.
 *
 * Positions and lengths of texts are in UTF-16 units, as everywhere in JavaScript. A lone surrogate counts as U+FFFD.
 */
export class Tokenizer {
  /** Tokens by role, undefined where the model has none. */
  readonly special: SpecialTokens;
  /** Longest input of the model in tokens, undefined where the files do not say. */
  readonly modelMaxLength: number | undefined;
  readonly paddingSide: 'left' | 'right';
  readonly truncationSide: 'left' | 'right';
  /** Names of the inputs of the model (`input_ids`, ...). */
  readonly modelInputNames: readonly string[];
  readonly #files: TokenizerFiles;
  readonly #changes: Record<string, Json>;
  readonly #table: TokenTable;
  readonly #template: Template;
  readonly #detokenizer: Detokenizer;
  readonly #pipeline: Pipeline;
  readonly #trim: ReturnType<typeof trimSpaces> | undefined;

  /** Use `AutoTokenizer.fromPretrained`. @internal */
  constructor(files: TokenizerFiles, options: TokenizerOptions = {}) {
    const { tokenizer, config, specialTokensMap } = files;
    this.#files = files;
    this.#table = new TokenTable(tokenizer);
    this.special = specialTokens(this.#table, config, specialTokensMap, options);
    this.#template = templateOf(tokenizer.post_processor);
    const limit = options.modelMaxLength ?? config.model_max_length;
    // Files of models without a limit say 1e30.
    this.modelMaxLength = typeof limit === 'number' && limit < 1e9 ? limit : undefined;
    const side = (json: Json) => (json === 'left' ? 'left' : 'right');
    this.paddingSide = side(options.paddingSide ?? config.padding_side);
    this.truncationSide = side(options.truncationSide ?? config.truncation_side);
    this.modelInputNames = inputNames(config, this.#template);
    this.#changes = changesOf(options);
    const library = openLibrary(tokenizer, config, this.#table);
    this.#pipeline = new Pipeline(library, this.#table);
    this.#detokenizer = new Detokenizer(library, this.#table);
    const { trimOffsets, addPrefixSpace } = this.#template;
    this.#trim = trimOffsets ? trimSpaces(this.#table, addPrefixSpace) : undefined;
  }

  get padToken(): string | undefined {
    return this.special.padToken;
  }
  get unkToken(): string | undefined {
    return this.special.unkToken;
  }
  get clsToken(): string | undefined {
    return this.special.clsToken;
  }
  get sepToken(): string | undefined {
    return this.special.sepToken;
  }
  get maskToken(): string | undefined {
    return this.special.maskToken;
  }
  get bosToken(): string | undefined {
    return this.special.bosToken;
  }
  get eosToken(): string | undefined {
    return this.special.eosToken;
  }
  get padTokenId(): number | undefined {
    return this.#idOf(this.special.padToken);
  }
  get unkTokenId(): number | undefined {
    return this.#idOf(this.special.unkToken);
  }
  get clsTokenId(): number | undefined {
    return this.#idOf(this.special.clsToken);
  }
  get sepTokenId(): number | undefined {
    return this.#idOf(this.special.sepToken);
  }
  get maskTokenId(): number | undefined {
    return this.#idOf(this.special.maskToken);
  }
  get bosTokenId(): number | undefined {
    return this.#idOf(this.special.bosToken);
  }
  get eosTokenId(): number | undefined {
    return this.#idOf(this.special.eosToken);
  }

  /** Ids of all special tokens, each once. */
  get allSpecialIds(): readonly number[] {
    return this.#table.added.filter((t) => t.special).map((t) => t.id);
  }

  /** One more than the highest id: as many rows as the model's embedding must have at least. */
  get vocabSize(): number {
    return this.#table.size;
  }

  /** Ids by token, added ones included. */
  getVocab(): Map<string, number> {
    return new Map(this.#table.ids);
  }

  /**
   * Token ids of one text or a pair, with mask, and whatever else the options ask for.
   * @throws ArgumentError for what is no string, for options that contradict each other, and where truncation needs a
   *   length that is not known.
   */
  encode(text: string, options: EncodeOptions = {}): Encoding {
    const encoding = this.#encode(text, options.textPair, options);
    const length = this.#padTo([encoding], options);
    return length === undefined ? encoding : padEncoding(encoding, length, this.#padWith());
  }

  /** Encodes many texts or pairs; nothing is padded unless the options say so. @throws as `encode`. */
  encodeBatch(texts: readonly string[], options: BatchOptions = {}): Encoding[] {
    const { textPair, ...rest } = options;
    if (!Array.isArray(texts)) throw new ArgumentError(`tokenizer: expected a list of texts, found ${kindOf(texts)}`);
    if (textPair !== undefined && textPair.length !== texts.length)
      throw new ArgumentError(`tokenizer: ${texts.length} texts, but ${textPair.length} second texts`);
    const encodings = texts.map((text, i) => this.#encode(text, textPair?.[i], rest));
    return this.#padAll(encodings, rest);
  }

  /**
   * Encodes many texts or pairs as int64 tensors [texts, length], padded to the longest unless told otherwise.
   * With `returnOverflowingTokens` there is a row for each window, and `overflowToSampleMapping` says of which text.
   * @throws as `encode`; ArgumentError if the texts are to be padded and the tokenizer has no padding token.
   */
  batch(
    texts: readonly string[],
    options: BatchOptions & { readonly returnOverflowingTokens: true },
  ): WindowedBatchEncoding;
  batch(texts: readonly string[], options?: BatchOptions): BatchEncoding;
  batch(texts: readonly string[], options: BatchOptions = {}): BatchEncoding | WindowedBatchEncoding {
    const encodings = this.encodeBatch(texts, { padding: 'longest', ...options });
    if (!options.returnOverflowingTokens) return stackEncodings(encodings);
    const rows = encodings.map((e) => [e, ...(e.overflowing ?? [])]);
    const flat = rows.flat();
    const overflowToSampleMapping = rows.flatMap((row, i) => row.map(() => i));
    return { ...stackEncodings(flat), overflowToSampleMapping, encodings: flat };
  }

  /**
   * Pads encodings made one by one, for instance in a loader's `collate`, and makes int64 tensors of them.
   * @throws ArgumentError if padding is needed and the tokenizer has no padding token.
   */
  pad(
    encodings: readonly Encoding[],
    options: Pick<EncodeOptions, 'padding' | 'padToMultipleOf' | 'maxLength'> = {},
  ): BatchEncoding {
    return stackEncodings(this.#padAll(encodings, { padding: 'longest', ...options }));
  }

  /** The tokens of a text as strings. Default: without special tokens. */
  tokenize(text: string, options: Omit<EncodeOptions, 'padding'> = {}): string[] {
    return this.convertIdsToTokens(
      this.#encode(text, options.textPair, { addSpecialTokens: false, ...options }).inputIds,
    );
  }

  /** Text of token ids. */
  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const known = Array.from(ids, Number);
    this.convertIdsToTokens(known);
    if (known.length === 0) return '';
    return this.#detokenizer.decode(known, {
      skipSpecialTokens: options.skipSpecialTokens ?? false,
      cleanUp: options.cleanUpTokenizationSpaces ?? this.#files.config.clean_up_tokenization_spaces === true,
    });
  }

  /** Texts of several lists of ids. */
  batchDecode(batch: Iterable<ArrayLike<number>>, options: DecodeOptions = {}): string[] {
    return Array.from(batch, (ids) => this.decode(ids, options));
  }

  /** Ids of tokens; unknown ones have the id of the unknown token. @throws ArgumentError where there is none. */
  convertTokensToIds(tokens: readonly string[]): number[] {
    return tokens.map((token) => {
      const id = this.#table.ids.get(token) ?? this.unkTokenId;
      if (id === undefined)
        throw new ArgumentError(`tokenizer: no token ${JSON.stringify(token)}, and no unknown token to take its place`);
      return id;
    });
  }

  /** Tokens of ids. @throws ArgumentError for ids that do not exist. */
  convertIdsToTokens(ids: ArrayLike<number>): string[] {
    return Array.from(ids, (id) => {
      const token = this.#table.tokens[id];
      if (token === undefined)
        throw new ArgumentError(`tokenizer: no token has the id ${id}; ids go from 0 to ${this.vocabSize - 1}`);
      return token;
    });
  }

  /** How many special tokens a text, or a pair, gets. */
  numSpecialTokensToAdd(pair = false): number {
    return addedCount(this.#template, pair);
  }

  /**
   * Writes the tokenizer's files as they were read, with changed options in tokenizer_config.json: Python's
   * `AutoTokenizer.from_pretrained(folder)` reads them. @throws FileError.
   */
  async savePretrained(folder: string): Promise<void> {
    await writeFiles(folder, this.toFiles());
  }

  /** The files that `savePretrained` writes, by name: for where there is no file system. */
  toFiles(): Map<string, Uint8Array> {
    return allFiles(this.#files, this.#changes);
  }

  #idOf(token: string | undefined): number | undefined {
    return token === undefined ? undefined : this.#table.ids.get(token);
  }

  #tokens(text: unknown, places: boolean, limit: number | undefined): TokenSequence {
    if (typeof text !== 'string') throw new ArgumentError(`tokenizer: expected a text, found ${kindOf(text)}`);
    // Only what a UTF-8 text can hold: Python's tokenizers never see anything else.
    return this.#pipeline.encode(text.replace(/\p{Surrogate}/gu, '\ufffd'), places, limit);
  }

  #encode(text: string, textPair: string | undefined, options: Omit<EncodeOptions, 'textPair'>): Encoding {
    const {
      addSpecialTokens = true,
      maxLength,
      padding = false,
      truncation = maxLength !== undefined && padding !== 'maxLength',
      stride = 0,
      returnOverflowingTokens: overflowing = false,
      returnOffsetsMapping: offsets = false,
    } = options;
    for (const [name, value] of [
      ['maxLength', maxLength ?? 0],
      ['stride', stride],
    ] as const)
      if (!Number.isInteger(value) || value < 0)
        throw new ArgumentError(`tokenizer: ${name} must be a whole number of at least 0, found ${value}`);
    const length = truncation ? (maxLength ?? this.modelMaxLength) : undefined;
    if (truncation && length === undefined)
      throw new ArgumentError('tokenizer: truncation needs maxLength: the files do not say how long inputs may be');
    const added = addSpecialTokens ? addedCount(this.#template, textPair !== undefined) : 0;
    if (length !== undefined && length < added)
      throw new ArgumentError(`tokenizer: maxLength ${length} has no room for the ${added} special tokens`);
    const strategy = typeof truncation === 'string' ? truncation : 'longestFirst';
    // What is certain to be cut off need not be split into tokens; of a pair the longer text loses more, so both count.
    const counts =
      overflowing || this.truncationSide === 'left' || (textPair !== undefined && strategy === 'longestFirst');
    const limit = counts ? undefined : length;
    const limitOf = (cut: boolean) => (cut ? limit : undefined);
    const first = this.#tokens(text, offsets, limitOf(strategy !== 'onlySecond'));
    const second =
      textPair === undefined ? undefined : this.#tokens(textPair, offsets, limitOf(strategy !== 'onlyFirst'));
    return assemble(second ? [first, second] : [first], {
      template: this.#template,
      addSpecialTokens,
      maxLength: length,
      truncation: strategy,
      truncationSide: this.truncationSide,
      stride,
      overflowing,
      offsets,
      trim: this.#trim,
      tokenTypes: options.returnTokenTypeIds ?? this.modelInputNames.includes('token_type_ids'),
      specialMask: options.returnSpecialTokensMask ?? false,
    });
  }

  #padAll(encodings: readonly Encoding[], options: PadOptions): Encoding[] {
    const length = this.#padTo(encodings, options);
    const isLong = (e: Encoding): boolean =>
      e.inputIds.length >= (length ?? 0) && (e.overflowing ?? []).every((window) => isLong(window));
    if (length === undefined || encodings.every(isLong)) return [...encodings];
    const padWith = this.#padWith();
    return encodings.map((e) => padEncoding(e, length, padWith));
  }

  #padTo(encodings: readonly Encoding[], options: PadOptions): number | undefined {
    const { padding = false, padToMultipleOf, maxLength = this.modelMaxLength } = options;
    if (padding === false) return undefined;
    if (padding !== true && padding !== 'longest' && padding !== 'maxLength')
      throw new ArgumentError(`tokenizer: padding: expected true, false, 'longest' or 'maxLength', found '${padding}'`);
    if (padding === 'maxLength' && maxLength === undefined)
      throw new ArgumentError(
        "tokenizer: padding: 'maxLength' needs maxLength: the files do not say how long inputs may be",
      );
    return paddedLength(encodings, padding === 'maxLength' ? maxLength : undefined, padToMultipleOf);
  }

  #padWith() {
    const id = this.padTokenId;
    if (id === undefined)
      throw new ArgumentError(
        'tokenizer: padding needs a padding token, and this model has none; choose one, such as { padToken: tokenizer.eosToken } in AutoTokenizer.fromPretrained',
      );
    const typeId = this.#files.config.pad_token_type_id;
    return { id, typeId: typeof typeId === 'number' ? typeId : 0, side: this.paddingSide };
  }
}

type PadOptions = Pick<EncodeOptions, 'padding' | 'padToMultipleOf' | 'maxLength'>;

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list (use batch or encodeBatch)' : typeof value;
}

function inputNames(config: Record<string, Json>, template: Template): readonly string[] {
  const names = config.model_input_names;
  if (Array.isArray(names)) return names.filter((name): name is string => typeof name === 'string');
  const name = config.tokenizer_class;
  const typed = typeof name === 'string' ? typedClasses.test(name) : template.pair.some((part) => part.typeId !== 0);
  return ['input_ids', ...(typed ? ['token_type_ids'] : []), 'attention_mask'];
}

/** Options under the names of tokenizer_config.json. */
function changesOf(options: TokenizerOptions): Record<string, Json> {
  const keys = Object.entries(options).filter(([key, value]) => value !== undefined && optionNames.has(key));
  return Object.fromEntries(
    keys.map(([key, value]) => [key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]),
  );
}

const optionNames = new Set([
  'modelMaxLength',
  'paddingSide',
  'truncationSide',
  ...['pad', 'unk', 'cls', 'sep', 'mask', 'bos', 'eos'].map((role) => `${role}Token`),
]);
