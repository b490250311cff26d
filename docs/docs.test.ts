/** @file Runs the code of every documentation page and compares the results that the pages show. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { manualSeed } from 'gradus';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { __capture, takeMismatches } from './checks.ts';
import { blocksOf, moduleOf, runs } from './extract.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const guides = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
const pages = ['README.md', 'CONTRIBUTING.md', ...guides.map((name) => `docs/${name}`)];
const read = (page: string) => readFileSync(join(root, page), 'utf8');

// Below the repository, so that `gradus` is the package itself; git ignores runs/.
const folder = join(root, 'runs', 'docs');
const moduleName = (page: string) => `${page.replace(/\W/g, '-')}.ts`;
const modules = pages.flatMap((page) => {
  const code = moduleOf(read(page), '../../docs/checks.ts');
  return code === undefined ? [] : [{ page, code }];
});
const home = process.cwd();
const scratch = mkdtempSync(join(tmpdir(), 'gradus-docs-'));

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { page, code } of modules) writeFileSync(join(folder, moduleName(page)), code);
  const config = { extends: '../../tsconfig.json', compilerOptions: { noUnusedLocals: false }, include: ['*.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
});

afterEach(() => void takeMismatches());

afterAll(() => {
  process.chdir(home);
  rmSync(scratch, { recursive: true, force: true });
});

describe('documentation', () => {
  for (const { page } of modules)
    test(`${page} runs and shows what it computes`, async () => {
      process.chdir(scratch);
      manualSeed(0);
      __capture();
      await import(/* @vite-ignore */ pathToFileURL(join(folder, moduleName(page))).href);
      expect(takeMismatches()).toEqual([]);
    });

  test('the code of all pages type-checks', () => {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    let report = '';
    try {
      execFileSync(process.execPath, [tsc, '-p', folder], { cwd: root, encoding: 'utf8' });
    } catch (error) {
      report = (error as { stdout: string }).stdout;
    }
    expect(report.split('\n').filter((line) => line.startsWith('runs/docs/'))).toEqual([]);
  });

  test('blocks are either run or say why not', () => {
    for (const page of pages) for (const block of blocksOf(read(page))) expect(() => runs(block)).not.toThrow();
  });

  test('the Chinese README has the code of the English one', () => {
    const code = (page: string) =>
      blocksOf(read(page))
        .filter(({ language }) => language !== 'mermaid')
        .map((block) => block.code);
    expect(code('README.zh-CN.md')).toEqual(code('README.md'));
  });
});

/** Text without code, in which brackets are no links. */
const prose = (text: string) =>
  text.replace(/^(```+)[\s\S]*?^\1$/gm, '').replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()]/g, ' '));

/** The anchors of a page as GitHub makes them: of equal ones the later are numbered. */
function anchors(text: string): Set<string> {
  const counts = new Map<string, number>();
  const found = new Set<string>();
  for (const [, heading] of text.matchAll(/^#+ (.*)$/gm)) {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- _]/gu, '')
      .replace(/ /g, '-');
    const count = counts.get(anchor) ?? 0;
    counts.set(anchor, count + 1);
    found.add(count ? `${anchor}-${count}` : anchor);
  }
  return found;
}

test('all links lead to what exists', () => {
  const api = readdirSync(join(root, 'docs', 'api')).map((name) => `docs/api/${name}`);
  const layers = readdirSync(join(root, 'src')).map((name) => `src/${name}/README.md`);
  const all = [...pages, 'README.zh-CN.md', 'bench/README.md', ...api, ...layers];
  const broken = all.flatMap((page) => {
    if (!existsSync(join(root, page))) return [];
    return [...prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
      if (/^https?:/.test(link)) return [];
      const [path, anchor] = link.split('#');
      const target = path ? join(dirname(page), path) : page;
      const exists = existsSync(join(root, target)) && (!anchor || anchors(prose(read(target))).has(anchor));
      return exists ? [] : [`${page}: ${link}`];
    });
  });
  expect(broken).toEqual([]);
});

describe('the checks themselves', () => {
  const page = ['```ts', "import { tensor } from 'gradus';", 'tensor(2).numel(); // => 1', '```'].join('\n');

  test('make a module of a page', () => {
    const code = moduleOf(page, 'checks') ?? '';
    expect(code).toContain('__equals("line 3", "1", tensor(2).numel());');
    expect(code).toContain("import { tensor } from 'gradus';");
  });

  test('numbers are compared to the digits shown, words exactly', async () => {
    const { __equals, __throws } = await import('./checks.ts');
    __equals('a', '[0.333, 2]', Float32Array.of(1 / 3, 2));
    __equals('b', "{ name: 'x' }", { name: 'x' });
    expect(takeMismatches()).toEqual([]);
    __equals('c', '0.34', 1 / 3);
    __equals('d', 'true', false);
    await __throws('e', 'ShapeError', async () => undefined);
    expect(takeMismatches()).toEqual([
      'c: the page shows 0.34, the result is 0.3333333333333333',
      'd: the page shows true, the result is false',
      'e: the page shows ShapeError, nothing was thrown',
    ]);
  });

  test('a block that is not run must give a reason', () => {
    const [block] = blocksOf('```ts no-run\n1;\n```');
    expect(() => runs(block)).toThrow('`no-run: <reason>`');
  });
});
