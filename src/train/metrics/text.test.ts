import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { bleu, cer, type Metric, wer } from './index.ts';

const golden = JSON.parse(fs.readFileSync('test/golden/metrics.json', 'utf8'));

/** Feeds sentences in batches of 4: results must not depend on the cut. */
function run<T>(metric: Metric<readonly string[], readonly T[], number>, output: string[], target: T[]): number {
  metric.update(output.slice(0, 1), target.slice(0, 1));
  metric.reset();
  for (let at = 0; at < output.length; at += 4) metric.update(output.slice(at, at + 4), target.slice(at, at + 4));
  return metric.compute();
}

describe('bleu against sacreBLEU', () => {
  const { hyps, refs, ...want } = golden.bleu;
  const one = refs.map((r: string[]) => r[0]);

  it('one and several references, case, tokens', () => {
    expect(run(bleu(), hyps, one)).toBeCloseTo(want.one, 9);
    expect(run(bleu(), hyps, refs)).toBeCloseTo(want.many, 9);
    expect(run(bleu({ lowercase: true }), hyps, one)).toBeCloseTo(want.lower, 9);
    expect(run(bleu({ tokenize: 'none' }), hyps, one)).toBeCloseTo(want.none, 9);
    for (const [i, score] of want.each.entries())
      expect(run(bleu(), [hyps[i]], [one[i]]), hyps[i]).toBeCloseTo(score, 9);
    expect(run(bleu(), want.short.hyps, want.short.refs)).toBeCloseTo(want.short.score, 9);
  });

  it('cuts tokens as 13a: equal to sacreBLEU tokens taken as they are', () => {
    expect(run(bleu(), hyps, want.tokens)).toBeCloseTo(100, 9);
  });

  it('edges', () => {
    expect(bleu().compute()).toBeNaN();
    expect(run(bleu(), [''], ['a'])).toBe(0);
    expect(run(bleu(), [''], [''])).toBe(0);
    expect(() => bleu().update(['a'], [])).toThrow(ShapeError);
    expect(() => bleu().update(['a'], [[]])).toThrow(ArgumentError);
    const metric = bleu();
    expect(() => metric.update(['a', 'b'], ['a', []])).toThrow('sentence 1 has no reference');
    expect(metric.compute()).toBeNaN();
    // @ts-expect-error A tokeniser that there is not.
    expect(() => bleu({ tokenize: 'zh' })).toThrow("metric bleu: tokenize 'zh', expected 13a, none");
  });
});

it('white space is that of Python', () => {
  const { hyps, refs, ...want } = golden.space;
  expect(run(bleu(), hyps, refs)).toBeCloseTo(want.bleu, 9);
  expect(run(bleu({ tokenize: 'none' }), hyps, refs)).toBeCloseTo(want.bleuNone, 9);
  expect(run(wer(), hyps, refs)).toBeCloseTo(want.wer, 12);
  expect(run(cer(), hyps, refs)).toBeCloseTo(want.cer, 12);
});

it('word and character error rates against jiwer', () => {
  const one = golden.bleu.refs.map((r: string[]) => r[0]);
  expect(run(wer(), golden.bleu.hyps, one)).toBeCloseTo(golden.wer.all, 12);
  expect(run(cer(), golden.bleu.hyps, one)).toBeCloseTo(golden.wer.cer, 12);
  expect(run(wer(), ['a b'], [''])).toBe(Number.POSITIVE_INFINITY);
  expect(wer().compute()).toBeNaN();
  expect(() => cer().update(['a'], ['a', 'b'])).toThrow('metric cer: 1 predictions, but 2 references');
});
