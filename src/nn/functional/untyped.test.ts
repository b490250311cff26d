/** @file What plain JavaScript, which no type checker reads first, may pass: the answer names the function and the mistake. */
import { describe, expect, it } from 'vitest';
import { cat, einsum, F, GradusError, nn, tensor, zeros } from '../../index.ts';

/** A value of a type that the compiler would refuse. */
const wrong = <T>(value: unknown): T => value as T;
const x = zeros([2, 3]);

describe('arguments of another kind', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['undefined as operand', () => x.add(wrong(undefined)), /expected a tensor or a number, found undefined/],
    ['string as operand', () => x.mul(wrong('2')), /expected a tensor or a number, found 2/],
    ['array as operand', () => x.add(wrong([1, 2, 3])), /found an array; make it a tensor/],
    ['nothing for a layer', () => new nn.Linear(3, 1).forward(wrong(undefined)), /linear: the input must be a tensor/],
    ['array for an activation', () => F.relu(wrong([1])), /relu: the input must be a tensor, found an array/],
    ['number for softmax', () => F.softmax(wrong(1), 0), /softmax: the input must be a tensor, found 1/],
    ['labels as array', () => F.crossEntropy(x, wrong([0, 1])), /crossEntropy: the target must be a tensor/],
    ['number as target', () => F.mseLoss(x, wrong(1)), /mseLoss: the target must be a tensor, found 1/],
    ['no weight', () => F.conv2d(zeros([1, 2, 4, 4]), wrong(undefined)), /conv2d: the weight must be a tensor/],
    ['no kernel size', () => F.maxPool2d(zeros([1, 1, 4, 4]), wrong(undefined)), /maxPool2d: kernelSize must be/],
    ['layer without kernel size', () => new nn.Conv2d(3, 4, wrong(undefined)), /Conv2d: kernelSize must be/],
    ['sizes one by one', () => x.reshape(wrong(3)), /reshape: expected a list such as \[2, 3\], found 3/],
    ['a name as dimension', () => x.std(wrong('rows')), /a dimension must be a number or a list/],
    ['no bounds', () => x.clamp({}), /clamp: give min, max or both/],
    ['no options', () => F.interpolate(zeros([1, 1, 2, 2])), /either size or scaleFactor/],
    ['no equation', () => einsum(wrong(x)), /einsum: the equation comes first/],
    ['numbers as indices', () => F.embedding(zeros([2]), x), /embedding: indices must be integers, found float32/],
    ['integers in a pool', () => F.maxPool2d(zeros([1, 4, 4], { dtype: 'int64' }), 2), /expected floating point/],
    ['repeats below 0', () => x.repeatInterleave(-1), /repeats must be whole numbers, 0 or more, found -1/],
    ['a function in Sequential', () => new nn.Sequential(wrong(F.relu)), /Sequential takes modules, found function/],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(GradusError);
    expect(call).toThrow(message);
  });

  it('what is right still passes', async () => {
    expect(
      await cat([x.add(true), x])
        .sum()
        .item(),
    ).toBe(6);
    expect(
      await F.embedding(
        [[0, 1]],
        tensor([
          [1, 2],
          [3, 4],
        ]),
      ).data(),
    ).toEqual(Float32Array.of(1, 2, 3, 4));
  });
});
