/** @file Resizing and sampling against PyTorch's values. */
import { describe } from 'vitest';
import { resizeCalls } from '../../../test/functional/calls.ts';
import { testGolden } from '../../../test/functional/check.ts';
import { loadGolden } from '../../../test/golden/load.ts';

describe('golden values', () => {
  testGolden(
    loadGolden('functional').cases.filter((c) => c.op in resizeCalls),
    resizeCalls,
  );
});
