/** @file activation against PyTorch's values. */
import { describe } from 'vitest';
import { activationCalls } from '../../test/functional/calls.ts';
import { testGolden } from '../../test/functional/check.ts';
import { loadGolden } from '../../test/golden/load.ts';

describe('golden values', () => {
  testGolden(
    loadGolden('functional').cases.filter((c) => c.op in activationCalls),
    activationCalls,
    // 1 - tanh(u)^2 cancels in float32 far out.
    { gelu: 5e-5 },
  );
});
