/** @file Operators of the family 'arithmetic' on the cases of test/golden/ops/arithmetic.json. */
import { testFamily } from './harness.ts';

testFamily('arithmetic');
