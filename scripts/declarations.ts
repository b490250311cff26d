/** @file The public names of the package with signatures and docstrings, read from the declarations that tsc emits. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Class, type ClassElement, type Comment, parseSync, type Statement } from 'oxc-parser';

const root = fileURLToPath(new URL('../', import.meta.url));

export type Kind = 'function' | 'class' | 'constant' | 'interface' | 'type' | 'namespace';

/** Where the members of base classes are shown with the base. */
const publicBases = new Set(['Module', 'Dataset', 'GradusError', 'Tensor']);

/** An exported name. */
export interface Declaration {
  readonly name: string;
  readonly kind: Kind;
  /** The docstring without stars, '' if there is none. */
  readonly doc: string;
  /** Signatures: several for overloads. Classes and interfaces with their public members. */
  readonly code: readonly string[];
  /** Of a namespace. */
  readonly members: ReadonlyMap<string, Declaration>;
}

interface File {
  readonly text: string;
  readonly body: readonly Statement[];
  readonly comments: readonly Comment[];
}

/** Declarations of all modules, without function bodies. */
export class Declarations {
  readonly #folder: string;
  readonly #files = new Map<string, File>();
  readonly #exports = new Map<string, ReadonlyMap<string, Declaration>>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Has tsc emit the declarations of src/ and gives them to `use`. */
  static read<T>(use: (declarations: Declarations) => T): T {
    const folder = mkdtempSync(join(tmpdir(), 'gradus-api-'));
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const options = ['-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--sourceMap', 'false', '--outDir', folder];
    try {
      execFileSync(process.execPath, [tsc, ...options], { cwd: root, encoding: 'utf8' });
    } catch (error) {
      // Type errors are reported by `npm run check`; the declarations are there all the same.
      if (!existsSync(join(folder, 'index.d.ts'))) throw error;
    }
    try {
      return use(new Declarations(folder));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Exported names of a module of src/ (`tensor/index`), in order. */
  exportsOf(module: string): ReadonlyMap<string, Declaration> {
    const known = this.#exports.get(module);
    if (known) return known;
    const found = new Map<string, Declaration>();
    this.#exports.set(module, found);
    const { body, text } = this.#file(module);
    for (const statement of body) {
      if (statement.type === 'ExportAllDeclaration') {
        const inner = this.exportsOf(resolve(module, statement.source.value));
        const { exported } = statement;
        if (!exported) for (const [name, declaration] of inner) if (!found.has(name)) found.set(name, declaration);
        if (exported) {
          const name = text.slice(exported.start, exported.end);
          found.set(name, { name, kind: 'namespace', doc: '', code: [], members: inner });
        }
      } else if (statement.type === 'ExportNamedDeclaration') {
        const from = statement.source && this.exportsOf(resolve(module, statement.source.value));
        for (const { local, exported } of statement.specifiers) {
          const name = text.slice(exported.start, exported.end);
          const inner = text.slice(local.start, local.end);
          const declaration = from ? from.get(inner) : this.#local(module, inner);
          if (declaration) found.set(name, { ...declaration, name });
        }
        for (const name of declaredNames(statement)) {
          const declaration = this.#local(module, name);
          if (declaration) found.set(name, declaration);
        }
      }
    }
    return found;
  }

  #file(module: string): File {
    let file = this.#files.get(module);
    if (!file) {
      const text = readFileSync(join(this.#folder, `${module}.d.ts`), 'utf8');
      const { program, comments } = parseSync('x.d.ts', text, { lang: 'dts' });
      file = { text, body: program.body, comments };
      this.#files.set(module, file);
    }
    return file;
  }

  /** What a module declares (or imports) under a name. */
  #local(module: string, name: string): Declaration | undefined {
    const file = this.#file(module);
    const statements = file.body.filter((s) => declaredNames(s).includes(name));
    if (!statements.length) {
      for (const s of file.body)
        if (s.type === 'ImportDeclaration' && s.specifiers.some((x) => x.local.name === name))
          return this.exportsOf(resolve(module, s.source.value)).get(name);
      return undefined;
    }
    const docs = statements.map((s) => docBefore(file, s.start)).filter((doc) => doc);
    return {
      name,
      kind: kindOf(statements[0]),
      doc: docs[0] ?? '',
      code: statements.map((s) => this.#code(module, s)),
      members: new Map(),
    };
  }

  #code(module: string, statement: Statement): string {
    const file = this.#file(module);
    const declaration = inner(statement);
    if (declaration.type !== 'ClassDeclaration') return tidy(file.text.slice(declaration.start, statement.end));
    const members = this.#members(file, declaration.body.body);
    const names = new Set(members.map(({ name }) => name));
    let base = this.#base(module, declaration.superClass);
    // A base class that is not public is an implementation detail: its members are shown as the class's own.
    while (base && !publicBases.has(base.name)) {
      for (const member of this.#members(this.#file(base.module), base.class.body.body))
        if (member.name !== 'constructor' && !names.has(member.name)) members.push(member);
      for (const { name } of members) names.add(name);
      base = this.#base(base.module, base.class.superClass);
    }
    const head = file.text
      .slice(declaration.start, declaration.body.start)
      .replace(/ extends .*/s, '')
      .trim();
    const extended = base ? ` extends ${base.name}` : '';
    return tidy(`${head}${extended} {\n${members.map(({ code }) => code).join('\n')}\n}`);
  }

  /** The class that a class extends, if it is one of this package. */
  #base(module: string, superClass: Class['superClass']): { module: string; name: string; class: Class } | undefined {
    if (superClass?.type !== 'Identifier') return undefined;
    const { name } = superClass;
    for (const statement of this.#file(module).body) {
      const declaration = inner(statement);
      if (declaration.type === 'ClassDeclaration' && declaration.id?.name === name)
        return { module, name, class: declaration };
      if (statement.type === 'ImportDeclaration' && statement.specifiers.some((x) => x.local.name === name)) {
        const from = statement.source.value;
        return from.startsWith('.') ? this.#base(resolve(module, from), superClass) : undefined;
      }
    }
    return undefined;
  }

  #members(file: File, elements: readonly ClassElement[]): { name: string; code: string }[] {
    return elements.flatMap((element) => {
      const code = file.text.slice(element.start, element.end);
      const doc = commentBefore(file, element.start);
      if (/^(private|protected|#)/.test(code) || doc?.value.includes('@internal')) return [];
      const name = 'key' in element && element.key ? file.text.slice(element.key.start, element.key.end) : code;
      return [{ name, code: `    ${doc ? `/*${doc.value}*/\n    ` : ''}${code}` }];
    });
  }
}

function resolve(module: string, from: string): string {
  return join(dirname(module), from.replace(/\.ts$/, ''));
}

/** The declaration inside of `export ...`, or the statement itself. */
function inner(statement: Statement): Statement {
  if (statement.type === 'ExportNamedDeclaration' && statement.declaration) return statement.declaration;
  return statement;
}

function declaredNames(statement: Statement): string[] {
  const declaration = inner(statement);
  switch (declaration.type) {
    case 'VariableDeclaration':
      return declaration.declarations.flatMap(({ id }) => (id.type === 'Identifier' ? [id.name] : []));
    case 'FunctionDeclaration':
    case 'TSDeclareFunction':
    case 'ClassDeclaration':
      return declaration.id ? [declaration.id.name] : [];
    case 'TSInterfaceDeclaration':
    case 'TSTypeAliasDeclaration':
      return [declaration.id.name];
    default:
      return [];
  }
}

function kindOf(statement: Statement): Kind {
  switch (inner(statement).type) {
    case 'VariableDeclaration':
      return 'constant';
    case 'ClassDeclaration':
      return 'class';
    case 'TSInterfaceDeclaration':
      return 'interface';
    case 'TSTypeAliasDeclaration':
      return 'type';
    default:
      return 'function';
  }
}

function commentBefore({ text, comments }: File, start: number): Comment | undefined {
  return comments.find((c) => c.end <= start && c.value.startsWith('*') && !text.slice(c.end, start).trim());
}

/** The docstring right before a position, without stars; the first comment of a file describes the file. */
function docBefore(file: File, start: number): string {
  const comment = commentBefore(file, start);
  if (!comment || /^\*\s*@file/.test(comment.value)) return '';
  return comment.value
    .slice(1)
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .trim();
}

/** Declaration text as a reader likes it: two spaces, no `declare`, no import types. */
function tidy(code: string): string {
  return code
    .replace(/^declare /, '')
    .replace(/import\("[^"]*"\)\./g, '')
    .replace(/^\s*#private;\n/gm, '')
    .replace(/\(this: Tensor(, )?/g, '(')
    .replace(/\{\s*\}$/, '{}')
    .replace(/^( {4})+/gm, (indent) => '  '.repeat(indent.length / 4))
    .replace(/;$/, '');
}
