/** @file Special tokens around a text or a pair, from the post-processor of tokenizer.json. */
import { FormatError, UnsupportedError } from '../../ir/errors.ts';
import { type Json, list, number, record, string } from './json.ts';

/** One part of the result: special tokens, or the tokens of the first or second text. */
export interface TemplatePart {
  readonly text?: 0 | 1;
  readonly ids: readonly number[];
  readonly typeId: number;
}

/** How one text and two are put together. */
export interface Template {
  readonly single: readonly TemplatePart[];
  readonly pair: readonly TemplatePart[];
  /** Positions of byte-level tokens leave out the spaces they begin or end with. */
  readonly trimOffsets: boolean;
  /** With `trimOffsets`: the first space of a text was not there and counts for nothing. */
  readonly addPrefixSpace: boolean;
}

const text = (which: 0 | 1, typeId: number): TemplatePart => ({ text: which, ids: [], typeId });
const special = (ids: readonly number[], typeId = 0): TemplatePart => ({ ids, typeId });

const plain: Template = {
  single: [text(0, 0)],
  pair: [text(0, 0), text(1, 1)],
  trimOffsets: false,
  addPrefixSpace: false,
};

/** @throws UnsupportedError for an unknown post-processor, FormatError for one that is broken. */
export function templateOf(json: Json, where = 'post_processor'): Template {
  if (json === null || json === undefined) return plain;
  const config = record(json, where);
  switch (config.type) {
    case 'BertProcessing': {
      const [cls, sep] = [tokenId(config.cls, `${where}.cls`), tokenId(config.sep, `${where}.sep`)];
      return {
        ...plain,
        single: [special([cls]), text(0, 0), special([sep])],
        pair: [special([cls]), text(0, 0), special([sep]), text(1, 1), special([sep], 1)],
      };
    }
    case 'RobertaProcessing': {
      const [cls, sep] = [tokenId(config.cls, `${where}.cls`), tokenId(config.sep, `${where}.sep`)];
      return {
        single: [special([cls]), text(0, 0), special([sep])],
        pair: [special([cls]), text(0, 0), special([sep]), special([sep]), text(1, 0), special([sep])],
        trimOffsets: config.trim_offsets !== false,
        addPrefixSpace: config.add_prefix_space !== false,
      };
    }
    case 'ByteLevel':
      return {
        ...plain,
        trimOffsets: config.trim_offsets !== false,
        addPrefixSpace: config.add_prefix_space !== false,
      };
    case 'TemplateProcessing': {
      const tokens = record(config.special_tokens ?? {}, `${where}.special_tokens`);
      return {
        ...plain,
        single: parts(config.single, tokens, `${where}.single`),
        pair: parts(config.pair, tokens, `${where}.pair`),
      };
    }
    case 'Sequence': {
      const all = list(config.processors, `${where}.processors`).map((p, i) =>
        templateOf(p, `${where}.processors[${i}]`),
      );
      const templates = all.filter((t) => t.single !== plain.single);
      if (templates.length > 1) throw new UnsupportedError(`${where}: several templates after each other`);
      const trimming = all.find((t) => t.trimOffsets);
      return {
        ...(templates[0] ?? plain),
        trimOffsets: trimming !== undefined,
        addPrefixSpace: trimming?.addPrefixSpace ?? false,
      };
    }
    default:
      throw new UnsupportedError(`${where}: unknown type ${JSON.stringify(config.type)}`);
  }
}

/** `["[CLS]", 101]` */
function tokenId(json: Json, where: string): number {
  return number(list(json, where)[1], `${where}[1]`);
}

function parts(json: Json, tokens: Record<string, Json>, where: string): TemplatePart[] {
  return list(json, where).map((item, i) => {
    const place = `${where}[${i}]`;
    const part = record(item, place);
    if (part.Sequence !== undefined) {
      const sequence = record(part.Sequence, place);
      if (sequence.id !== 'A' && sequence.id !== 'B')
        throw new FormatError(`${place}: expected the text A or B, found ${JSON.stringify(sequence.id)}`);
      return text(sequence.id === 'A' ? 0 : 1, number(sequence.type_id ?? 0, `${place}.type_id`));
    }
    const token = record(part.SpecialToken, place);
    const name = string(token.id, `${place}.id`);
    const known = record(tokens[name], `${where}: special token ${name}`);
    const ids = list(known.ids, `${where}: ids of ${name}`).map((id) => number(id, `${where}: id of ${name}`));
    return special(ids, number(token.type_id ?? 0, `${place}.type_id`));
  });
}
