/** @file From the fenced code of a documentation page to one module that runs it and checks the results it shows. */
import { posix } from 'node:path';
import { type Comment, type ImportDeclaration, parseSync, type Statement, Visitor } from 'oxc-parser';

/** A fenced block (or a hidden one, `<!-- ts ... -->`) of a page. */
export interface Block {
  readonly language: string;
  /** What follows the language: empty, or `no-run: why`, or `output`. */
  readonly info: string;
  readonly code: string;
  /** Line of the page on which the code begins, from 1. */
  readonly line: number;
}

/** All fenced and hidden blocks of a page in order. @throws Error for a block that is not closed. */
export function blocksOf(markdown: string): Block[] {
  const lines = markdown.split('\n');
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const fence = /^(```+|<!-- (?=ts$))\s*([\w-]*)\s*(.*)$/.exec(lines[i]);
    if (!fence) continue;
    const [, mark, language, info] = fence;
    const closing = mark.startsWith('`') ? mark : '-->';
    const end = lines.indexOf(closing, i + 1);
    if (end < 0) throw new Error(`line ${i + 1}: the block is not closed by ${closing}`);
    blocks.push({ language, info: info.trim(), code: lines.slice(i + 1, end).join('\n'), line: i + 2 });
    i = end;
  }
  return blocks;
}

/** Whether a block is TypeScript that runs. @throws Error for `no-run` without a reason and for unknown words. */
export function runs({ language, info, line }: Block): boolean {
  if (language !== 'ts') return false;
  if (info === '') return true;
  if (/^no-run: \S/.test(info)) return false;
  throw new Error(`line ${line}: after \`ts\` only \`no-run: <reason>\` may stand, found '${info}'`);
}

interface Insertion {
  readonly at: number;
  readonly text: string;
}

/** Applies insertions from the last to the first, so that positions stay true. */
function insertAll(code: string, insertions: readonly Insertion[]): string {
  const ordered = insertions.map((i, n) => ({ ...i, n })).sort((a, b) => b.at - a.at || b.n - a.n);
  return ordered.reduce((text, { at, text: added }) => text.slice(0, at) + added + text.slice(at), code);
}

/** A block that begins with `// src/ops/x.ts` shows that file: its relative imports start there. */
function inRepository(from: string, code: string): string {
  const file = /^\/\/ ((?:src|test|recipes)\/\S+)\//.exec(code)?.[1];
  return file && from.startsWith('.') ? posix.join('../..', file, from) : from;
}

/** The imports of all blocks, each name once. */
class Imports {
  readonly #named = new Map<string, Set<string>>();
  readonly #whole = new Set<string>();

  add(node: ImportDeclaration, code: string): void {
    const from = inRepository(node.source.value, code);
    for (const specifier of node.specifiers) {
      const text = code.slice(specifier.start, specifier.end);
      if (specifier.type !== 'ImportSpecifier') this.#whole.add(`import ${text} from '${from}';`);
      else {
        const names = this.#named.get(from) ?? new Set();
        this.#named.set(from, names.add(node.importKind === 'type' ? `type ${text}` : text));
      }
    }
  }

  toString(): string {
    const named = [...this.#named].map(([from, names]) => {
      const needed = [...names].filter((n) => !(n.startsWith('type ') && names.has(n.slice(5))));
      return `import { ${needed.join(', ')} } from '${from}';`;
    });
    return [...this.#whole, ...named].join('\n');
  }
}

const promise = /^\s*(=>|throws)\s?(.*)$/s;

/** Turns `expression; // => value`, `const x = ...; // => value` and `statement; // throws text` into checks. */
function checksFor(statements: readonly Statement[], comments: readonly Comment[], block: Block): Insertion[] {
  const lineOf = (at: number) => block.code.slice(0, at).split('\n').length;
  const insertions: Insertion[] = [];
  for (const [n, comment] of comments.entries()) {
    const match = comment.type === 'Line' ? promise.exec(comment.value) : null;
    if (!match) continue;
    const [, kind, first] = match;
    let expected = first;
    // Comment lines that follow directly continue the value.
    for (let k = n + 1; k < comments.length; k++) {
      const between = block.code.slice(comments[k - 1].end, comments[k].start);
      if (between.trim() || between.split('\n').length !== 2 || promise.test(comments[k].value)) break;
      expected += `\n${comments[k].value.replace(/^ /, '')}`;
    }
    const line = lineOf(comment.start);
    const place = JSON.stringify(`line ${block.line + line - 1}`);
    const ending = statements.filter((s) => lineOf(s.end) === line && s.end <= comment.start);
    const statement = ending.sort((a, b) => b.end - a.end)[0];
    if (!statement) throw new Error(`line ${block.line + line - 1}: no statement ends before // ${kind}`);
    const text = JSON.stringify(expected);
    const wrap = (start: number, end: number, before: string, after: string) =>
      insertions.push({ at: start, text: before }, { at: end, text: after });
    if (kind === 'throws')
      wrap(statement.start, statement.end, `await __throws(${place}, ${text}, async () => {`, '});');
    else if (statement.type === 'VariableDeclaration') {
      const { id } = statement.declarations[statement.declarations.length - 1];
      if (id.type !== 'Identifier') throw new Error(`line ${block.line + line - 1}: // => after a pattern`);
      insertions.push({ at: statement.end, text: ` __equals(${place}, ${text}, ${id.name});` });
    } else if (statement.type === 'ExpressionStatement') {
      const { expression } = statement;
      const isLog =
        expression.type === 'CallExpression' && block.code.slice(expression.start).startsWith('console.log(');
      if (isLog && expression.type === 'CallExpression' && expression.arguments.length)
        wrap(
          expression.arguments[0].start,
          expression.arguments[expression.arguments.length - 1].end,
          `...__logged(${place}, ${text}, `,
          ')',
        );
      else wrap(expression.start, expression.end, `__equals(${place}, ${text}, `, ')');
    } else throw new Error(`line ${block.line + line - 1}: // => belongs after an expression or a declaration`);
  }
  return insertions;
}

/** All statements of a program at any depth that a comment may refer to. */
function statementsOf(program: ReturnType<typeof parseSync>['program']): Statement[] {
  const found: Statement[] = [];
  new Visitor({
    ExpressionStatement: (node) => void found.push(node),
    VariableDeclaration: (node) => void found.push(node),
  }).visit(program);
  return found;
}

/** One block's code with its checks, its imports taken out. */
function instrument(block: Block, imports: Imports): string {
  const { program, comments, errors } = parseSync('page.ts', block.code, { lang: 'ts', sourceType: 'module' });
  if (errors.length) throw new Error(`line ${block.line}: ${errors[0].message}`);
  const insertions = checksFor(statementsOf(program), comments, block);
  let code = insertAll(block.code, insertions);
  for (const node of program.body)
    if (node.type === 'ImportDeclaration') {
      const text = block.code.slice(node.start, node.end);
      imports.add(node, block.code);
      code = code.replace(text, '');
    }
  return code;
}

/**
 * The module of a page: all blocks that run, in one scope from top to bottom. A block of text marked `output` right after
 * one must equal what that one printed.
 * @param harness what the module imports its checks from.
 */
export function moduleOf(markdown: string, harness: string): string | undefined {
  const blocks = blocksOf(markdown);
  const imports = new Imports();
  const body: string[] = [];
  blocks.forEach((block, i) => {
    if (!runs(block)) return;
    const next = blocks[i + 1];
    const code = instrument(block, imports);
    const isOutput = next?.language === 'text' && next.info === 'output';
    if (!isOutput) body.push(code);
    else body.push(`__capture();\n${code}\n__printed('line ${next.line}', ${JSON.stringify(next.code)});`);
  });
  if (!body.length) return undefined;
  const checks = `import { __capture, __equals, __logged, __printed, __throws } from '${harness}';`;
  const used = 'void [__capture, __equals, __logged, __printed, __throws];';
  return `${checks}\n${imports}\n${used}\n${body.join('\n')}\nexport {};\n`;
}
