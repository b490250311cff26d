/** @file Parts of an untrusted JSON file, checked as they are read. */
import { FormatError } from '../../ir/errors.ts';

export type Json = unknown;

const refuse = (json: Json, where: string, expected: string): never => {
  const found = json === undefined ? 'nothing' : JSON.stringify(json).slice(0, 60);
  throw new FormatError(`tokenizer: ${where}: expected ${expected}, found ${found}`);
};

/** @throws FormatError if it is no object. */
export function record(json: Json, where: string): Record<string, Json> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return refuse(json, where, 'an object');
  return json as Record<string, Json>;
}

/** @throws FormatError if it is no list. */
export function list(json: Json, where: string): readonly Json[] {
  return Array.isArray(json) ? json : refuse(json, where, 'a list');
}

/** @throws FormatError if it is no string. */
export function string(json: Json, where: string): string {
  return typeof json === 'string' ? json : refuse(json, where, 'a string');
}

/** @throws FormatError if it is no finite number. */
export function number(json: Json, where: string): number {
  return typeof json === 'number' && Number.isFinite(json) ? json : refuse(json, where, 'a number');
}

/** A token's number. @throws FormatError if it is no whole number from 0 to 2^31 - 1. */
export function tokenNumber(json: Json, where: string): number {
  return Number.isInteger(json) && (json as number) >= 0 && (json as number) < 2 ** 31
    ? (json as number)
    : refuse(json, where, 'a token id, a whole number of at least 0');
}
