/** @file generation_config.json: what a model's makers recommend for generate(). */
import { z } from 'zod';
import { FormatError } from '../../ir/errors.ts';
import { snake } from '../config.ts';
import type { GenerationOptions } from './options.ts';

/** Entries of generation_config.json that generate() knows; as options, each is the default of the option of its name. */
const entries = {
  maxNewTokens: z.number(),
  /** Tokens in all, the prompt's included. */
  maxLength: z.number(),
  minNewTokens: z.number(),
  minLength: z.number(),
  doSample: z.boolean(),
  temperature: z.number(),
  topK: z.number(),
  topP: z.number(),
  repetitionPenalty: z.number(),
  numBeams: z.number(),
  lengthPenalty: z.number(),
  earlyStopping: z.union([z.boolean(), z.literal('never')]),
  eosTokenId: z.union([z.number(), z.array(z.number())]),
  padTokenId: z.number(),
};

/** Defaults of generate(): its options, and lengths that include the prompt. */
export type GenerationDefaults = Omit<GenerationOptions, 'seed' | 'stop' | 'attentionMask' | 'useCache'> & {
  maxLength?: number;
  minLength?: number;
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The contents of a file. @throws FormatError for what is no object. */
export function generationConfig(json: unknown, source: string): Readonly<Record<string, unknown>> {
  if (!isRecord(json)) throw new FormatError(`${source}: expected a JSON object, found ${JSON.stringify(json)}`);
  generationDefaults(json, source);
  return json;
}

/**
 * The options among entries in snake_case; null is none.
 * @throws FormatError naming the entry that is of another type.
 */
export function generationDefaults(
  json: Readonly<Record<string, unknown>>,
  source = 'generation_config.json',
): GenerationDefaults {
  const found: [string, unknown][] = [];
  for (const [key, schema] of Object.entries(entries)) {
    const value = json[snake(key)];
    if (value === undefined || value === null) continue;
    const { error } = schema.safeParse(value);
    if (error) throw new FormatError(`${source}: "${snake(key)}": ${error.issues[0].message}`);
    // Files say so for "no sampling"; it is no temperature.
    if (key === 'temperature' && value === 0) continue;
    found.push([key, value]);
  }
  return Object.fromEntries(found);
}
