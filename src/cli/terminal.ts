/** @file What is written to the terminal: colours where they are wanted, tables, numbers. */

/** Where text goes; process.stdout and process.stderr are such. */
export interface Stream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

export type Style = keyof typeof codes;

/** Whether colours are wanted there: terminals only, and never with NO_COLOR set (no-color.org) or TERM=dumb. */
export function hasColor(stream: Stream, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  return stream.isTTY === true && env.TERM !== 'dumb';
}

/** Talks to the person at the terminal. With `json`, stdout is left to the result and people read stderr. */
export class Terminal {
  readonly stream: Stream;
  readonly quiet: boolean;
  readonly #color: boolean;

  constructor({ json = false, quiet = false }: { json?: boolean; quiet?: boolean } = {}) {
    this.stream = json ? process.stderr : process.stdout;
    this.quiet = quiet;
    this.#color = hasColor(this.stream);
  }

  /** Text in a style, or plain. */
  paint(style: Style, text: string): string {
    const [on, off] = codes[style];
    return this.#color ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  }

  /** A line, unless --quiet. */
  say(text = ''): void {
    if (!this.quiet) this.stream.write(`${text}\n`);
  }

  /** A heading with a blank line before it. */
  heading(text: string): void {
    this.say(`\n${this.paint('bold', text)}`);
  }

  /** Something that is not as expected, on stderr, also with --quiet. */
  warn(text: string): void {
    const label = hasColor(process.stderr) ? '\u001b[33mwarning:\u001b[39m' : 'warning:';
    process.stderr.write(`${label} ${text}\n`);
  }
}

/** Columns of a table: text is set left, numbers right. */
export function formatTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, c) => Math.max(...cells.map((row) => width(row[c] ?? ''))));
  const isNumber = head.map((_, c) => rows.length > 0 && rows.every((row) => typeof row[c] === 'number'));
  const line = (row: readonly string[]) =>
    row
      .map((cell, c) => {
        const pad = ' '.repeat(Math.max(0, widths[c] - width(cell)));
        return isNumber[c] ? pad + cell : cell + pad;
      })
      .join('  ')
      .trimEnd();
  return cells.map((row) => `  ${line(row)}`).join('\n');
}

/** Columns a text takes in a terminal: Chinese, Japanese and Korean characters take two. */
function width(text: string): number {
  let sum = 0;
  for (const c of text) sum += (c.codePointAt(0) ?? 0) > 0x2e7f ? 2 : 1;
  return sum;
}

/** Text without control characters, cut to `max` characters: names in files are not trusted to be printable. */
export function printable(text: string, max = 60): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal
  const clean = text.replace(/[\x00-\x1f\x7f-\x9f]/g, '\ufffd');
  return clean.length > max ? `${clean.slice(0, max - 1)}\u2026` : clean;
}

/** `1 image`, `2,000 images`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
}

/** The first few of a list and how many more there are. */
export function someOf(items: readonly string[], max = 10): string {
  const shown = items.slice(0, max).map((item) => printable(item));
  return items.length > max ? `${shown.join(', ')} and ${items.length - max} more` : shown.join(', ');
}

/** Bytes as KiB, MiB, GiB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** A word for a shell: quoted where it must be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
