/** @file From the tokens of one text or a pair to encodings: truncation, special tokens, token types. */
import type { Template, TemplatePart } from './template.ts';
import { keptLengths, slice, windowsOf } from './truncate.ts';
import type { Encoding, Offset, TokenSequence, Truncation } from './types.ts';

/** What `assemble` needs to know; all defaults filled in. */
export interface AssembleOptions {
  readonly template: Template;
  readonly addSpecialTokens: boolean;
  /** Undefined: no truncation. */
  readonly maxLength: number | undefined;
  readonly truncation: Exclude<Truncation, boolean>;
  readonly truncationSide: 'left' | 'right';
  readonly stride: number;
  readonly overflowing: boolean;
  readonly tokenTypes: boolean;
  readonly specialMask: boolean;
  readonly offsets: boolean;
  /** Shortens the positions of a window. */
  readonly trim: ((sequence: TokenSequence) => TokenSequence) | undefined;
}

/** Number of special tokens that a single text or a pair gets. */
export function addedCount(template: Template, pair: boolean): number {
  return (pair ? template.pair : template.single).reduce((sum, part) => sum + part.ids.length, 0);
}

/** Builds the encoding of a text or pair; the windows that truncation cut off are its `overflowing`. */
export function assemble(texts: readonly TokenSequence[], options: AssembleOptions): Encoding {
  const [first, second] = texts;
  const { template, maxLength, stride, truncationSide: side } = options;
  const all = second ? template.pair : template.single;
  const parts = options.addSpecialTokens ? all : all.filter((part) => part.text !== undefined);
  const trim = (options.offsets && options.trim) || ((sequence: TokenSequence) => sequence);
  const build = (a: TokenSequence, b?: TokenSequence) => join(parts, [trim(a), b && trim(b)], options);
  if (maxLength === undefined) return build(first, second);
  const room = maxLength - (options.addSpecialTokens ? addedCount(template, second !== undefined) : 0);
  const kept = keptLengths(first.ids.length, second?.ids.length, room, options.truncation);
  if (!options.overflowing) {
    const keep = (text: TokenSequence, count: number) => {
      const length = text.ids.length;
      return slice(text, side === 'right' ? [0, count] : [length - count, length]);
    };
    return build(keep(first, kept[0]), second && keep(second, kept[1]));
  }
  const pieces = (text: TokenSequence, count: number) =>
    windowsOf(text.ids.length, count, stride, side).map((window) => slice(text, window));
  const [a, ...moreA] = pieces(first, kept[0]);
  if (!second) return { ...build(a), overflowing: moreA.map((piece) => build(piece)) };
  const [b, ...moreB] = pieces(second, kept[1]);
  const overflowing = [
    ...moreA.flatMap((piece) => [b, ...moreB].map((other) => build(piece, other))),
    ...moreB.map((piece) => build(a, piece)),
  ];
  return { ...build(a, b), overflowing };
}

const nowhere: Offset = [0, 0];

function join(
  parts: readonly TemplatePart[],
  texts: readonly [TokenSequence, TokenSequence?],
  options: AssembleOptions,
): Encoding {
  const inputIds: number[] = [];
  const sequenceIds: (0 | 1 | null)[] = [];
  const types: number[] = [];
  const mask: number[] = [];
  const offsets: Offset[] = [];
  for (const part of parts) {
    const sequence = part.text === undefined ? undefined : texts[part.text];
    const ids = sequence?.ids ?? part.ids;
    for (let i = 0; i < ids.length; i++) {
      inputIds.push(ids[i]);
      sequenceIds.push(part.text ?? null);
      if (options.tokenTypes) types.push(part.typeId);
      if (options.specialMask) mask.push(sequence ? 0 : 1);
      if (options.offsets) offsets.push(sequence ? [sequence.starts[i], sequence.ends[i]] : nowhere);
    }
  }
  return {
    inputIds,
    attentionMask: new Array<number>(inputIds.length).fill(1),
    ...(options.tokenTypes ? { tokenTypeIds: types } : {}),
    ...(options.specialMask ? { specialTokensMask: mask } : {}),
    ...(options.offsets ? { offsetMapping: offsets } : {}),
    sequenceIds,
  };
}
