/** One gradient of a deep chain, with or without rematerialisation; prints the peak memory in MB and a checksum. */
import { checkpoint, grad, randn, realize, type Tensor, tensor } from '../../src/tensor/index.ts';

const remat = process.argv[2] === '1';
const w = tensor([1.01], { requiresGrad: true });
const x = randn([1 << 20]);
const block = (h: Tensor): Tensor => {
  let y = h;
  for (let i = 0; i < 8; i++) y = y.mul(w).sin().tanh();
  return y;
};
let h: Tensor = x;
for (let i = 0; i < 8; i++) h = remat ? checkpoint(block, h) : block(h);
const g = grad(h.mean(), w);
await realize(g);
console.log(JSON.stringify({ megabytes: process.resourceUsage().maxRSS / 1024, gradient: await g.item() }));
