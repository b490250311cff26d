/** @file What WebGPU cannot do, or not as exactly, by the case's name, with the reason. */

/** Cases that fail on WebGPU. A case that passes after all must be taken off. */
export const limits: readonly { readonly pattern: RegExp; readonly reason: string }[] = [
  { pattern: /^Bitwise(And|Or|Xor) int64/, reason: 'integers have 32 bits there, and these need more' },
  {
    pattern: /^(Exp|Sigmoid|Relu) of special numbers/,
    reason: 'the shading language may assume that NaN does not occur',
  },
  {
    pattern: /^Conv: .*x0\[1,5,4,5,4\]/,
    reason: 'its gradient is a ConvTranspose in three dimensions, see the next',
  },
  {
    pattern: /^ConvTranspose: .*x0\[1,2,2,3,2\]/,
    reason: 'ConvTranspose has a kernel for one and two dimensions only',
  },
];

/** Cases that agree less exactly than others: the shading language asks of sin and cos an absolute error of 2^-11. */
export const loose = { pattern: /^(Sin|Cos|Tan|DFT|Acos|Asin)\b/, tolerance: 2 ** -11 };
