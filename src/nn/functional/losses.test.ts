/** @file Losses against PyTorch's values. */
import { describe } from 'vitest';
import { lossCalls } from '../../../test/functional/calls.ts';
import { testGolden } from '../../../test/functional/check.ts';
import { loadGolden } from '../../../test/golden/load.ts';

describe('golden values', () => {
  testGolden(loadGolden('losses').cases, lossCalls);
});
