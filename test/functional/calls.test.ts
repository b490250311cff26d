/** @file Every operator of the golden files is called by some table, and every public function is met by one. */
import { expect, it } from 'vitest';
import * as F from '../../src/nn/functional/index.ts';
import { loadGolden } from '../golden/load.ts';
import * as calls from './calls.ts';

const { lossCalls, ...functional } = calls;
const called = new Set(Object.values(functional).flatMap((table) => Object.keys(table)));

it('calls every operator of functional.json', () => {
  expect(
    loadGolden('functional')
      .cases.filter((c) => !called.has(c.op))
      .map((c) => c.op),
  ).toEqual([]);
});

it('calls every operator of losses.json', () => {
  expect(
    loadGolden('losses')
      .cases.filter((c) => !(c.op in lossCalls))
      .map((c) => c.op),
  ).toEqual([]);
});

it('has golden cases for every function of F but those whose values are checked in tests of their own', () => {
  const elsewhere = [
    // Random: dropout.test.ts.
    ...['dropout', 'dropout1d', 'dropout2d', 'dropout3d', 'alphaDropout'],
  ];
  const golden = new Set([...called, ...Object.keys(lossCalls)]);
  const missing = Object.entries(F).filter(([name, value]) => typeof value === 'function' && !golden.has(name));
  expect(missing.map(([name]) => name).sort()).toEqual(elsewhere.sort());
});
