/** @file Names of classes from the card of a data set: `dataset_info.features` in the YAML at the top of its README.md. */
import { readFileBounded } from '../train/files.ts';
import { openRepository } from './hub-repository.ts';
import type { SourceOptions } from './source.ts';

/** Names of classes by column. */
export type ClassNames = Readonly<Record<string, readonly string[]>>;

const maxCard = 20_000_000;

/**
 * The names of classes that the card of a hub data set tells, by column; empty where it tells none.
 * @param config one of several data sets of the repository.
 * @throws HubError if the hub cannot be reached, ArgumentError for a name that cannot be one.
 */
export async function hubClassNames(
  name: string,
  { config, ...options }: SourceOptions & { config?: string } = {},
): Promise<ClassNames> {
  const repository = await openRepository(name, 'dataset', options);
  if (!(await repository.list()).includes('README.md')) return {};
  const bytes = await readFileBounded(await repository.path('README.md'), maxCard);
  return classNamesOf(new TextDecoder().decode(bytes), config);
}

/** The same for the text of a card. What is not as Python's datasets writes it tells nothing. */
export function classNamesOf(card: string, config?: string): ClassNames {
  const block = /^---\r?\n([\s\S]*?)^---\s*$/m.exec(card.replace(/^\uFEFF/, ''))?.[1] ?? '';
  const lines = block.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.trim().startsWith('#'));
  const start = lines.findIndex((line) => /^dataset_info:\s*$/.test(line));
  if (start < 0) return {};
  const length = lines.slice(start + 1).findIndex((line) => /^[^\s-]/.test(line));
  const info = lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).map((line) => lineOf(line));
  const parts = info[0]?.isItem && info[0].depth === 0 ? split(info) : [info];
  const named = (part: readonly Line[]) => part.find(({ key }) => key === 'config_name')?.value;
  const part = parts.find((p) => named(p) === config) ?? (parts.length === 1 ? parts[0] : undefined);
  return part ? featuresOf(part) : {};
}

interface Line {
  /** Columns before the text; an item's text begins after its dash. */
  readonly depth: number;
  readonly isItem: boolean;
  readonly key: string;
  readonly value: string;
}

function lineOf(line: string): Line {
  const [, indent, dash, rest] = /^(\s*)(- )?(.*)$/.exec(line) ?? ['', '', undefined, ''];
  const pair = /^('(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^:]+):(?:\s+(.*))?$/.exec(rest);
  return {
    depth: indent.length,
    isItem: dash !== undefined,
    key: scalar(pair?.[1] ?? ''),
    value: scalar(pair ? (pair[2] ?? '') : rest),
  };
}

function scalar(text: string): string {
  const trimmed = text.trim();
  if (/^'.*'$/.test(trimmed)) return trimmed.slice(1, -1).replaceAll("''", "'");
  if (!/^".*"$/.test(trimmed)) return trimmed;
  try {
    return String(JSON.parse(trimmed));
  } catch {
    return trimmed.slice(1, -1);
  }
}

/** Items of a list whose dashes stand where that of its first line stands. */
function split(lines: readonly Line[]): Line[][] {
  const items: Line[][] = [];
  for (const line of lines) {
    if (line.isItem && line.depth === lines[0].depth) items.push([line]);
    else items.at(-1)?.push(line);
  }
  return items;
}

/** Lines that belong to the first one with this key: deeper ones, or items beside it. */
function under(lines: readonly Line[], key: string): Line[] {
  const at = lines.findIndex((line) => line.key === key);
  if (at < 0) return [];
  const depth = lines[at].depth + (lines[at].isItem ? 2 : 0);
  const rest = lines.slice(at + 1);
  const isInside = (line: Line) => line.depth > depth || (line.depth === depth && line.isItem);
  const end = rest.findIndex((line) => !isInside(line));
  return end < 0 ? rest : rest.slice(0, end);
}

function featuresOf(info: readonly Line[]): ClassNames {
  const found: Record<string, readonly string[]> = {};
  const features = under(info, 'features');
  if (!features[0]?.isItem) return found;
  for (const feature of split(features)) {
    const column = feature.find(({ key }) => key === 'name')?.value;
    const names = under(under(feature, 'class_label'), 'names');
    const numbered = names.filter((line, i) => line.isItem || line.key === String(i)).map(({ value }) => value);
    if (column && numbered.length > 0 && numbered.length === names.length) found[column] = numbered;
  }
  return found;
}
