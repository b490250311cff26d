/** @file Operators of the family 'untrained' on the cases of test/golden/ops/untrained.json. */
import { testFamily } from './harness.ts';

testFamily('untrained');
