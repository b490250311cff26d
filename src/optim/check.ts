/** @file Ranges of hyper-parameters. */
import { ArgumentError } from '../ir/errors.ts';

/** @throws ArgumentError unless every number is finite and 0 or more. */
export function checkNonNegative(optimizer: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values))
    if (!(value >= 0 && Number.isFinite(value)))
      throw new ArgumentError(`${optimizer}: ${name} must be 0 or more, found ${value}`);
}

/** @throws ArgumentError unless both decay rates are in [0, 1). */
export function checkBetas(optimizer: string, betas: readonly number[]): void {
  if (!Array.isArray(betas) || betas.length !== 2)
    throw new ArgumentError(`${optimizer}: betas must be two numbers, found ${JSON.stringify(betas)}`);
  for (const beta of betas)
    if (!(beta >= 0 && beta < 1))
      throw new ArgumentError(`${optimizer}: betas must be in [0, 1), found [${betas.join(', ')}]`);
}
