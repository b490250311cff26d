/** @file Patterns of tokenizer.json: strings, and Oniguruma regular expressions translated to JavaScript's. */
import { type Json, record, string } from './json.ts';
import { translatePattern } from './library-engine.ts';

/** @throws FormatError for a regular expression that cannot be translated. */
export function patternOf(json: Json, where: string): RegExp {
  const { String: text, Regex: regex } = record(json, `${where}.pattern`);
  if (text === undefined) return translatePattern(string(regex, `${where}.pattern`), where);
  return new RegExp(string(text, `${where}.pattern`).replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'), 'gu');
}
