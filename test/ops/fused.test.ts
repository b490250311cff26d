/** @file Operators of the family 'fused' on the cases of test/golden/ops/fused.json. */
import { testFamily } from './harness.ts';

testFamily('fused');
