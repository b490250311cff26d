/** @file Operators of the family 'products' on the cases of test/golden/ops/products.json. */
import { testFamily } from './harness.ts';

testFamily('products');
