/** @file Errors that cross from a worker thread without losing their class. */
import * as errors from '../ir/errors.ts';

/** An error as plain data. */
export interface PortableError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: PortableError;
}

/** An error (or whatever was thrown) as plain data, causes included down to eight levels. */
export function packError(thrown: unknown, depth = 0): PortableError {
  if (!(thrown instanceof Error)) return { name: 'Error', message: String(thrown) };
  const cause = thrown.cause === undefined || depth > 8 ? undefined : packError(thrown.cause, depth + 1);
  return { name: thrown.name, message: thrown.message, stack: thrown.stack, cause };
}

/** The error again, of its Gradus class where it had one. */
export function reviveError(packed: PortableError): Error {
  const known = (errors as Record<string, unknown>)[packed.name];
  const options = packed.cause === undefined ? undefined : { cause: reviveError(packed.cause) };
  const Class = typeof known === 'function' ? (known as typeof errors.GradusError) : Error;
  const error = new Class(packed.message, options);
  if (Class === Error) Object.defineProperty(error, 'name', { value: packed.name, configurable: true });
  if (packed.stack !== undefined) error.stack = packed.stack;
  return error;
}
