/** @file What the modules made from documentation pages call to compare results with what the page shows. */

/** Mismatches found since the last call of {@link takeMismatches}. */
let mismatches: string[] = [];
let printed: string[] | undefined;
const log = console.log;

export function takeMismatches(): string[] {
  const found = mismatches;
  mismatches = [];
  printed = undefined;
  console.log = log;
  return found;
}

/** Typed arrays become arrays, all the way down. */
function plain(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as Float32Array);
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, plain(v)]));
  return value;
}

/** A number as written, with half a unit of its last digit as tolerance (and float32's own precision). */
function isClose(actual: number, written: string): boolean {
  const expected = Number(written);
  if (Object.is(actual, expected) || actual === expected) return true;
  const [mantissa, exponent = '0'] = written.toLowerCase().split('e');
  const decimals = mantissa.split('.')[1]?.length ?? 0;
  if (!decimals && exponent === '0') return Math.abs(actual - expected) <= 2e-6 * Math.abs(expected);
  return Math.abs(actual - expected) <= 0.5001 * 10 ** (Number(exponent) - decimals);
}

const number = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi;

/** Texts with equal words and numbers that are close. */
function sameText(actual: string, expected: string): boolean {
  const words = (text: string) => text.replace(number, '#').replace(/\s+/g, '');
  if (words(actual) !== words(expected)) return false;
  const found = actual.match(number) ?? [];
  return (expected.match(number) ?? []).every((written, i) => isClose(Number(found[i]), written));
}

/** `{ a: [1, 2] }` as pages write it. */
function show(value: unknown): string {
  const v = plain(value);
  if (typeof v === 'string') return `'${v}'`;
  if (Array.isArray(v)) return `[${v.map(show).join(', ')}]`;
  if (v !== null && typeof v === 'object' && Object.getPrototypeOf(v) === Object.prototype)
    return `{ ${Object.entries(v)
      .map(([key, x]) => `${/^\w+$/.test(key) ? key : `'${key}'`}: ${show(x)}`)
      .join(', ')} }`;
  return String(v);
}

function compare(place: string, expected: string, actual: string): void {
  if (!sameText(actual, expected)) mismatches.push(`${place}: the page shows ${expected}, the result is ${actual}`);
}

/** `expression; // => value`. Numbers are compared to the digits that are shown. */
export function __equals<T>(place: string, expected: string, actual: T): T {
  const isText = typeof actual === 'string' && !/^['"]/.test(expected);
  compare(place, expected, isText ? actual : show(actual));
  return actual;
}

/** `console.log(...); // => text`. @public Called by the modules made from pages. */
export function __logged(place: string, expected: string, ...actual: unknown[]): unknown[] {
  compare(place, expected, actual.map((a) => (typeof a === 'string' ? a : show(a))).join(' '));
  return actual;
}

/** `statement; // throws ShapeError: text of the message` (the beginning of it, or a part). */
export async function __throws(place: string, expected: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const text = `${(error as Error).name}: ${(error as Error).message}`.replace(/\s+/g, ' ');
    if (!text.includes(expected.replace(/\s+/g, ' ').trim()))
      mismatches.push(`${place}: the page shows ${expected}, the error is ${text}`);
    return;
  }
  mismatches.push(`${place}: the page shows ${expected}, nothing was thrown`);
}

/** Keeps what is printed until {@link __printed}. */
export function __capture(): void {
  const lines: string[] = [];
  printed = lines;
  console.log = (...values: unknown[]) => {
    lines.push(values.map((v) => (typeof v === 'string' ? v : show(v))).join(' '));
  };
}

/** Compares what was printed with the page's output block. @public Called by the modules made from pages. */
export function __printed(place: string, expected: string): void {
  compare(place, expected, (printed ?? []).join('\n'));
  __capture();
}
