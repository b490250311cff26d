/** @file The API reference is complete and up to date. */
import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { apiPages, undocumented } from '../scripts/api-reference.ts';
import { Declarations } from '../scripts/declarations.ts';

let pages: ReadonlyMap<string, string>;
let missing: readonly string[];

beforeAll(() => {
  Declarations.read((declarations) => {
    pages = apiPages(declarations);
    missing = undocumented(declarations);
  });
});

describe('API reference', () => {
  test('every public function, class and constant has a docstring', () => {
    expect(missing).toEqual([]);
  });

  test('the committed pages are those of the present sources; else run `npm run docs`', () => {
    const stale = [...pages].filter(([file, text]) => {
      const path = new URL(`api/${file}`, import.meta.url);
      return !existsSync(path) || readFileSync(path, 'utf8') !== text;
    });
    expect(stale.map(([file]) => file)).toEqual([]);
  });

  test('shows signature, prose, errors and overloads', () => {
    const optim = pages.get('optim.md') ?? '';
    expect(optim).toContain('### optim.adamw\n\n```typescript\nconst adamw: OptimizerConstructor<AdamWOptions,');
    const tensors = pages.get('tensor.md') ?? '';
    expect(tensors).toContain('function max(x: Tensor): Tensor\nfunction max(x: Tensor, dim: number');
    expect(tensors).not.toContain('#private');
    expect(pages.get('core.md')).toContain('### ShapeError');
  });
});
