/** @file Heat maps, overlays and frames; pictures in terminals, and silence elsewhere. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, NumericError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { drawBoxes, heatMap, lineChart, overlay, showPicture, svgToPng, terminalPictures } from './index.ts';

const textsOf = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text.trim());
const fillsOf = (svg: string) => [...svg.matchAll(/<path[^>]*fill="([^"]+)"/g)].map(([, fill]) => fill);

describe('heatMap', () => {
  const names = { rows: ['der', 'der', '</s>'], columns: ['the', 'dog'], rowName: 'German', columnName: 'English' };
  const values = [
    [1, 0],
    [0.25, 0.75],
    [0, 0.5],
  ];

  it('names rows and columns, also alike ones, and is darkest at the largest value', () => {
    const svg = heatMap(values, { ...names, title: 'Attention' });
    const texts = textsOf(svg);
    expect(texts.filter((t) => t === 'der')).toHaveLength(2);
    expect(texts).toEqual(expect.arrayContaining(['Attention', 'the', 'dog', '&lt;/s&gt;', 'German', 'English']));
    expect(fillsOf(svg).filter((fill) => /^(#084594|rgb\(8,69,148\))$/.test(fill))).toHaveLength(1);
    expect(textsOf(heatMap(values, { ...names, numbers: true }))).toEqual(expect.arrayContaining(['0.25', '0.75']));
    expect(fillsOf(heatMap(values, { ...names, max: 0.5 })).filter((f) => /084594|8,69,148/.test(f))).toHaveLength(3);
  });

  it('takes nothing but zeros, and refuses what is no matrix', () => {
    expect(heatMap([[0]], { rows: ['a'], columns: ['b'] })).toContain('<svg');
    expect(() => heatMap([[1]], names)).toThrow(
      'heat map: 1 rows, one of 1 values, but 3 row names and 2 column names',
    );
    expect(() => heatMap([], { rows: [], columns: [] })).toThrow(ArgumentError);
    expect(() => heatMap([[Number.NaN]], { rows: ['a'], columns: ['b'] })).toThrow(NumericError);
    expect(() => heatMap([[-1]], { rows: ['a'], columns: ['b'] })).toThrow('at least 0, found -1');
    expect(() => heatMap([[1]], { rows: ['a'], columns: ['b'], max: 0 })).toThrow('max is 0');
  });
});

describe('drawing into images', () => {
  const grey = (dtype: 'uint8' | 'float32'): NDArray => ({
    data: dtype === 'uint8' ? new Uint8Array(27).fill(100) : new Float32Array(27).fill(0.5),
    shape: [3, 3, 3],
    dtype,
  });
  const colors = [
    [255, 0, 0],
    [0, 0, 255],
  ] as const;

  it('mixes the colours of classes into pixels', () => {
    const labels = [0, 1, 2, 0, 0, 0, 0, 0, 0];
    const { data } = overlay(grey('float32'), labels, colors, { opacity: 0.5, ignoreIndex: 2 });
    expect([data[0], data[9], data[18]]).toEqual([0.75, 0.25, 0.25]);
    expect([data[1], data[10], data[19]]).toEqual([0.25, 0.25, 0.75]);
    expect([data[2], data[11], data[20]]).toEqual([0.5, 0.5, 0.5]);
    expect(overlay(grey('uint8'), labels, colors, { opacity: 1, ignoreIndex: 2 }).data[0]).toBe(255);
    expect(() => overlay(grey('uint8'), labels, colors)).toThrow('there is no colour for class 2, but 2 colours');
    expect(() => overlay(grey('uint8'), [0], colors)).toThrow(ShapeError);
    expect(() => overlay({ ...grey('uint8'), shape: [3, 9] }, labels, colors)).toThrow('found [3, 9]');
  });

  it('frames boxes, also such that reach beyond the image or lie outside', () => {
    const image: NDArray = { data: new Uint8Array(300), shape: [3, 10, 10], dtype: 'uint8' };
    const draw = (box: number[]) => [...drawBoxes(image, { boxes: [box], labels: [0] }, colors).data.slice(0, 100)];
    const painted = (box: number[]) => draw(box).filter((v) => v === 255).length;
    expect(painted([0, 0, 10, 10])).toBe(100 - 36);
    expect(draw([2, 2, 8, 8]).slice(22, 28)).toEqual([255, 255, 255, 255, 255, 255]);
    expect(painted([-5, -5, 5, 5])).toBe(25 - 9);
    expect(painted([20, 20, 1e9, 1e9])).toBe(0);
    expect(painted([3, 3, 3, 3])).toBe(0);
    expect(image.data.every((v) => v === 0)).toBe(true);
    expect(() => drawBoxes(image, { boxes: [[0, 0, 1, 1]], labels: [5] }, colors)).toThrow('no colour for class 5');
  });
});

describe('pictures in a terminal', () => {
  const svg = lineChart({ series: [{ name: 'a', y: [1, 2, 3] }] });
  const capture = () => {
    const written: string[] = [];
    return { isTTY: true, write: (text: string) => written.push(text), written };
  };

  it('finds out which terminals take them', () => {
    const way = (env: Record<string, string>, isTTY = true) =>
      terminalPictures({ env, stream: { ...capture(), isTTY } });
    expect(way({ TERM_PROGRAM: 'iTerm.app' })).toBe('iterm');
    expect(way({ TERM_PROGRAM: 'WezTerm', TERM: 'xterm-256color' })).toBe('iterm');
    expect(way({ LC_TERMINAL: 'iTerm2' })).toBe('iterm');
    expect(way({ TERM: 'xterm-kitty' })).toBe('kitty');
    expect(way({ TERM_PROGRAM: 'ghostty' })).toBe('kitty');
    expect(way({ TERM: 'xterm-256color' })).toBeUndefined();
    expect(way({ TERM: 'xterm-kitty', TMUX: '/tmp/tmux' })).toBeUndefined();
    expect(way({ TERM: 'screen', TERM_PROGRAM: 'iTerm.app' })).toBeUndefined();
    expect(way({ TERM: 'xterm-kitty', CI: 'true' })).toBeUndefined();
    expect(way({ TERM: 'xterm-kitty', GRADUS_PICTURES: 'off' })).toBeUndefined();
    expect(way({ TERM: 'xterm', GRADUS_PICTURES: 'kitty' })).toBe('kitty');
    expect(way({ TERM: 'xterm-kitty', GRADUS_PICTURES: 'kitty' }, false)).toBeUndefined();
  });

  it('writes the PNG by the protocol of iTerm2', async () => {
    const stream = capture();
    const png = await svgToPng(svg, { scale: 1 });
    expect(await showPicture(png, { stream, env: { TERM_PROGRAM: 'iTerm.app' } })).toBe(true);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the protocol consists of them
    const found = /^\x1b\]1337;File=inline=1;size=(\d+);preserveAspectRatio=1:([A-Za-z0-9+/=]+)\x07\n$/.exec(
      stream.written.join(''),
    );
    expect(Number(found?.[1])).toBe(png.length);
    expect(Buffer.from(found?.[2] ?? '', 'base64').equals(png)).toBe(true);
  });

  it('writes it by the protocol of kitty, in pieces', async () => {
    const stream = capture();
    const png = await svgToPng(svg, { scale: 1 });
    expect(await showPicture(png, { stream, env: { KITTY_WINDOW_ID: '1' } })).toBe(true);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the protocol consists of them
    const pieces = [...stream.written.join('').matchAll(/\x1b_G([^;]*);([^\x1b]*)\x1b\\/g)];
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces[0][1]).toBe('a=T,f=100,q=2,m=1');
    expect(pieces.at(-1)?.[1]).toBe('q=2,m=0');
    for (const [, , text] of pieces) expect(text.length).toBeLessThanOrEqual(4096);
    expect(Buffer.from(pieces.map(([, , text]) => text).join(''), 'base64').equals(png)).toBe(true);
  });

  it('is silent elsewhere', async () => {
    const stream = { ...capture(), isTTY: false };
    expect(await showPicture(svg, { stream, env: { TERM: 'xterm-kitty' } })).toBe(false);
    expect(await showPicture(svg, { stream: { ...stream, isTTY: true }, env: { TERM: 'xterm' } })).toBe(false);
    expect(stream.written).toEqual([]);
  });
});
