/** @file Control flow. Bodies are not traced, so their types are unknown and nothing can be differentiated through them. */
import { UnsupportedError } from '../ir/errors.ts';
import { defineMultiOp } from './define.ts';

const controlFlow = (name: string) =>
  defineMultiOp(name, {
    infer: () => {
      throw new UnsupportedError(
        `${name} has a body that runs depending on data, which a traced program cannot hold. Export the model without control flow (fixed sequence lengths, tracing instead of scripting), or run that part as a model of its own`,
      );
    },
    gradient: 'unsupported',
  });

export const ifOp = controlFlow('If');
export const loop = controlFlow('Loop');
export const scan = controlFlow('Scan');
