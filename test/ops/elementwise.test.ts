/** @file Operators of the family 'elementwise' on the cases of test/golden/ops/elementwise.json. */
import { testFamily } from './harness.ts';

testFamily('elementwise');
