/** @file Operators of the family 'activations' on the cases of test/golden/ops/activations.json. */
import { testFamily } from './harness.ts';

testFamily('activations');
