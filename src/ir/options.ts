/** @file Checks of options, for those who call Gradus from JavaScript. */
import { ArgumentError } from './errors.ts';

/** @throws ArgumentError for an option that `what` does not take, naming those it takes. */
export function refuseUnknown(what: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new ArgumentError(`${what}: unknown option '${name}'; it takes ${known.join(', ')}`);
}

/** @throws ArgumentError unless the value is left out or a whole number of at least `min`. */
export function checkWhole(what: string, value: number | undefined, min: number): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= min))
    throw new ArgumentError(`${what} must be a whole number of at least ${min}, found ${value}`);
}
