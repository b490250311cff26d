/** @file Operators of the family 'indexing' on the cases of test/golden/ops/indexing.json. */
import { testFamily } from './harness.ts';

testFamily('indexing');
