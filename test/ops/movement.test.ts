/** @file Operators of the family 'movement' on the cases of test/golden/ops/movement.json. */
import { testFamily } from './harness.ts';

testFamily('movement');
