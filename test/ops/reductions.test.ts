/** @file Operators of the family 'reductions' on the cases of test/golden/ops/reductions.json. */
import { testFamily } from './harness.ts';

testFamily('reductions');
