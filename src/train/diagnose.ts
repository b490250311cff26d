/** @file Finds where NaN or infinity first appeared, to name it in the error. */
import type { NumericArray } from '../ir/dtype.ts';
import { NumericError } from '../ir/errors.ts';
import type { Module } from '../nn/module.ts';
import { dropAssignments, takeAssignments } from '../tensor/assignments.ts';
import { realize, Tensor } from '../tensor/index.ts';
import type { Batch, StepFunction } from './step.ts';

function firstBad(data: NumericArray): number {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  return -1;
}

async function describe(what: string, tensor: Tensor): Promise<string | undefined> {
  const data = await tensor.data();
  const at = firstBad(data);
  return at < 0 ? undefined : `${what} (element ${at} of shape [${tensor.shape.join(', ')}] is ${data[at]})`;
}

/**
 * Runs the step again, layer by layer, and builds the error that names the first bad tensor in order of computation: a
 * field of the batch, a parameter, a layer's output, the loss, or a parameter's gradient.
 */
export async function diagnose<M extends Module>(
  model: M,
  step: StepFunction<M>,
  batch: Batch,
  stepNumber: number,
): Promise<NumericError> {
  const outputs: { name: string; tensor: Tensor }[] = [];
  const removers = [...model.namedModules()].map(([name, module]) =>
    module.registerForwardHook((_, __, output) => {
      if (output instanceof Tensor)
        outputs.push({ name: `${name || 'model'} (${module.constructor.name})`, tensor: output });
      return undefined;
    }),
  );
  try {
    model.zeroGrad();
    const { loss } = step(model, batch);
    if (loss.requiresGrad) loss.backward();
    // Running statistics of a step that did not count stay as they were.
    dropAssignments(takeAssignments());
    const gradients = model.namedParameters().flatMap(([name, p]) => (p.grad ? [{ name, tensor: p.grad }] : []));
    await realize(...outputs.map((o) => o.tensor), loss, ...gradients.map((g) => g.tensor));
    const fields = Object.entries(batch).flatMap(([name, t]) => (t instanceof Tensor ? [{ name, tensor: t }] : []));
    const candidates = [
      ...fields.map(({ name, tensor }) => [`field '${name}' of the batch`, tensor] as const),
      ...model.namedParameters().map(([name, p]) => [`parameter '${name}'`, p] as const),
      ...outputs.map(({ name, tensor }) => [`output of layer ${name}`, tensor] as const),
      ['the loss', loss] as const,
      ...gradients.map(({ name, tensor }) => [`gradient of parameter '${name}'`, tensor] as const),
    ];
    for (const [what, tensor] of candidates) {
      const found = await describe(what, tensor);
      if (found) return notFinite(found, stepNumber);
    }
  } finally {
    for (const remove of removers) remove();
    model.zeroGrad();
  }
  return notFinite('the sum of the gradients (each is finite, together they overflow)', stepNumber);
}

function notFinite(found: string, step: number): NumericError {
  return new NumericError(
    `training stopped at step ${step}: not finite: ${found}. Parameters are as they were before this step. Lower the learning rate, clip gradients (clipNorm: 1), or check the data and the logarithms and divisions of the loss`,
  );
}
