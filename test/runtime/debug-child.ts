/** @file One small program, for the tests of debug output. */
import { tensor } from 'gradus';

const a = tensor([
  [1, 2],
  [3, 4],
]);
console.log(JSON.stringify([...(await a.matmul(a).add(1).data())]));
