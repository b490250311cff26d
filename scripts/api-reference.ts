/** @file Writes docs/api, the reference made from the docstrings: `npm run docs`. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Declaration, Declarations, type Kind } from './declarations.ts';

const folder = new URL('../docs/api/', import.meta.url);

interface Page {
  readonly file: string;
  readonly title: string;
  /** How the names are reached. */
  readonly intro: string;
  readonly modules: readonly string[];
  /** Put before the names, such as `F.`. */
  readonly prefix: string;
}

const pages: readonly Page[] = [
  {
    file: 'tensor.md',
    title: 'Tensors',
    intro: "`import { Tensor, tensor, ... } from 'gradus'`; most functions are methods of `Tensor`, too.",
    modules: ['tensor/index'],
    prefix: '',
  },
  {
    file: 'functional.md',
    title: 'Functional API',
    intro: "`import { F } from 'gradus'`: layers and losses without state.",
    modules: ['nn/functional/index'],
    prefix: 'F.',
  },
  {
    file: 'nn.md',
    title: 'Modules',
    intro: "`import { nn } from 'gradus'`.",
    modules: ['nn/index'],
    prefix: 'nn.',
  },
  {
    file: 'optim.md',
    title: 'Optimisers',
    intro: "`import { optim } from 'gradus'`.",
    modules: ['optim/index'],
    prefix: 'optim.',
  },
  {
    file: 'data.md',
    title: 'Data',
    intro: "`import ... from 'gradus'`; what reads files from `'gradus/data/node'`.",
    modules: ['data/index', 'data/node'],
    prefix: '',
  },
  {
    file: 'train.md',
    title: 'Training',
    intro: "`import ... from 'gradus'`; metrics are in `metrics`, too.",
    modules: ['train/index'],
    prefix: '',
  },
  {
    file: 'hub.md',
    title: 'Files of models',
    intro: "`import ... from 'gradus'`: safetensors, ONNX, tokenisers, the Hugging Face hub.",
    modules: ['hub/index'],
    prefix: '',
  },
  {
    file: 'models.md',
    title: 'Models',
    intro: "`import ... from 'gradus'`: pretrained Transformers, image networks, generation, few-parameter tuning.",
    modules: ['models/index'],
    prefix: '',
  },
  {
    file: 'plot.md',
    title: 'Plots',
    intro: "`import ... from 'gradus/plot'`: charts as SVG, drawn without a browser.",
    modules: ['train/plot/index'],
    prefix: '',
  },
  {
    file: 'core.md',
    title: 'Errors, types, devices',
    intro: "`import ... from 'gradus'`.",
    modules: ['ir/errors', 'ir/dtype', 'ir/ndarray', 'ir/shape', 'runtime/device'],
    prefix: '',
  },
];

const sections: readonly [string, readonly Kind[]][] = [
  ['Classes', ['class']],
  ['Functions', ['function', 'constant']],
  ['Types', ['interface', 'type']],
];

/** Words of a docstring that Markdown would take for markup. */
const plain = (text: string) => text.replace(/[<>*_]/g, (c) => ({ '<': '&lt;', '>': '&gt;' })[c] ?? `\\${c}`);

/** Prose with `code` left alone. */
function prose(text: string): string {
  return text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part : plain(part)))
    .join('')
    .replace(/\{@link (\w+)\}/g, '`$1`');
}

/** A docstring as Markdown: tags become sentences and lists, examples code. */
function markdown(doc: string): string {
  const blocks = doc.split(/^(```[\s\S]*?^```)$/m);
  const parts = blocks.map((block) => {
    if (block.startsWith('```')) return block.replace(/^```ts/, '```typescript');
    return block
      .split(/(?=(?:^|\s)@(?:param|returns|throws|example)\b)/)
      .map((piece) => {
        const [, tag, rest = ''] = /^\s*@(\w+)\s+([\s\S]*)$/.exec(piece) ?? [];
        if (tag === 'param') {
          const [, name, what = ''] = /^(\S+)\s*([\s\S]*)$/.exec(rest) ?? [];
          return `\n\n- \`${name}\`: ${prose(what.trim())}\n`;
        }
        if (tag === 'returns') return `\n\nReturns ${prose(rest.trim())}`;
        if (tag === 'throws') return `\n\nThrows ${prose(rest.trim())}`;
        if (tag === 'example') return `\n\n\`\`\`typescript\n${rest.trim()}\n\`\`\``;
        return prose(piece);
      })
      .join('');
  });
  return parts
    .join('')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/^(- .*)\n\n(?=- `)/gm, '$1\n')
    .trim();
}

function entry({ name, doc, code }: Declaration, prefix: string): string {
  const signature = ['```typescript', ...code, '```'].join('\n');
  return [`### ${prefix}${name}`, signature, markdown(doc)].filter((part) => part).join('\n\n');
}

const byName = (a: Declaration, b: Declaration) => (a.name < b.name ? -1 : 1);
/** GitHub's anchors of headings, in order: of equal ones the later are numbered. */
class Anchors {
  readonly #counts = new Map<string, number>();

  next(heading: string): string {
    const plainText = heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replace(/ /g, '-');
    const count = this.#counts.get(plainText) ?? 0;
    this.#counts.set(plainText, count + 1);
    return count ? `${plainText}-${count}` : plainText;
  }
}

/** Exports in named sections; each namespace is a section of its own. */
function sectionsOf(exports: ReadonlyMap<string, Declaration>, prefix: string): [string, string, Declaration[]][] {
  const all = [...exports.values()];
  const own = sections.map(([title, kinds]): [string, string, Declaration[]] => [
    title,
    prefix,
    all.filter(({ kind }) => kinds.includes(kind)).sort(byName),
  ]);
  const spaces = all
    .filter(({ kind, name }) => kind === 'namespace' && name !== 'functional')
    .map(({ name, members }): [string, string, Declaration[]] => [
      `\`${prefix}${name}\``,
      `${prefix}${name}.`,
      [...members.values()].sort(byName),
    ]);
  return [...own, ...spaces].filter(([, , list]) => list.length);
}

function pageText({ title, intro, prefix }: Page, exports: ReadonlyMap<string, Declaration>): string {
  const made = sectionsOf(exports, prefix);
  const anchors = new Anchors();
  anchors.next(title);
  const contents = made.map(([heading, before, list]) => {
    anchors.next(heading);
    return `${heading}: ${list.map(({ name }) => `[${name}](#${anchors.next(before + name)})`).join(', ')}.`;
  });
  const body = made.map(
    ([heading, before, list]) => `## ${heading}\n\n${list.map((d) => entry(d, before)).join('\n\n')}`,
  );
  const note = '<!-- Made by scripts/api-reference.ts from the docstrings: run `npm run docs`. -->';
  return `${[note, `# ${title}`, intro, ...contents, ...body].join('\n\n')}\n`;
}

/** All pages by file name. */
export function apiPages(declarations: Declarations): Map<string, string> {
  const texts = new Map<string, string>();
  for (const page of pages) {
    const exports = new Map(page.modules.flatMap((module) => [...declarations.exportsOf(module)]));
    const isPublic = page.file === 'core.md' ? publicCore(declarations, exports) : exports;
    texts.set(page.file, pageText(page, isPublic));
  }
  const list = pages.map(({ file, title, intro }) => `- [${title}](${file}): ${intro}`).join('\n');
  texts.set('README.md', `# API reference\n\nMade from the docstrings by \`npm run docs\`.\n\n${list}\n`);
  return texts;
}

/** Of the core's names only those that the package exports. */
function publicCore(declarations: Declarations, exports: ReadonlyMap<string, Declaration>): Map<string, Declaration> {
  const all = declarations.exportsOf('index');
  return new Map([...exports].filter(([name]) => all.has(name)));
}

/** Values among the exports of src/index.ts, namespaces included, that have no docstring. */
export function undocumented(declarations: Declarations): string[] {
  const look = (exports: ReadonlyMap<string, Declaration>, prefix: string): string[] =>
    [...exports.values()].flatMap((d) => {
      if (d.kind === 'namespace') return look(d.members, `${prefix}${d.name}.`);
      return d.doc || d.kind === 'interface' || d.kind === 'type' ? [] : [`${prefix}${d.name}`];
    });
  return look(declarations.exportsOf('index'), '');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const texts = Declarations.read(apiPages);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of texts) writeFileSync(new URL(file, folder), text);
  console.log(`${texts.size} pages in ${fileURLToPath(folder)}`);
}
