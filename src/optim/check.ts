/** @file Ranges of hyper-parameters. */
import { ArgumentError } from '../ir/errors.ts';

/** @throws ArgumentError unless every number is finite and 0 or more. */
export function checkNonNegative(optimizer: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values))
    if (!(value >= 0 && Number.isFinite(value)))
      throw new ArgumentError(`${optimizer}: ${name} must be 0 or more, found ${value}`);
}

/** @throws ArgumentError unless every number is in [0, 1]. */
export function checkShares(name: string, values: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(values))
    if (!(typeof value === 'number' && value >= 0 && value <= 1))
      throw new ArgumentError(`${name}: ${key} must be in [0, 1], found ${value}`);
}

/** @throws ArgumentError unless every number is finite. */
export function checkFinite(name: string, values: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(values))
    if (!Number.isFinite(value)) throw new ArgumentError(`${name}: ${key} must be a finite number, found ${value}`);
}

/** @throws ArgumentError unless it is a list of whole numbers, 0 or more. */
export function checkMilestones(name: string, milestones: readonly number[]): void {
  if (!Array.isArray(milestones) || milestones.some((m) => !Number.isInteger(m) || m < 0))
    throw new ArgumentError(
      `${name}: milestones must be a list of whole numbers, 0 or more, found ${JSON.stringify(milestones)}`,
    );
}

/** @throws ArgumentError unless every number is whole and at least `least`. */
export function checkCounts(schedule: string, values: Readonly<Record<string, number>>, least = 1): void {
  for (const [name, value] of Object.entries(values))
    if (!(Number.isInteger(value) && value >= least))
      throw new ArgumentError(`${schedule}: ${name} must be a whole number, ${least} or more; found ${value}`);
}

/** @throws ArgumentError unless both decay rates are in [0, 1). */
export function checkBetas(optimizer: string, betas: readonly number[]): void {
  if (!Array.isArray(betas) || betas.length !== 2)
    throw new ArgumentError(`${optimizer}: betas must be two numbers, found ${JSON.stringify(betas)}`);
  for (const beta of betas)
    if (!(beta >= 0 && beta < 1))
      throw new ArgumentError(`${optimizer}: betas must be in [0, 1), found [${betas.join(', ')}]`);
}
