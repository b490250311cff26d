/** @file Where in user code an operation was written, for error messages. */

const root = import.meta.url.replace(/[^/]+\/ir\/site\.[jt]s$/, '');
/** Folders that are not the user's. Source maps turn places in dist/ into places in src/. */
const ours = ['src/', 'dist/', 'bin/'].map((folder) => root.replace(/^file:\/\//, '') + folder);
let tracking = false;

/** Records the user's source line with every node from now on (slower; error messages at run time then name it). */
export function trackSites(on: boolean): void {
  tracking = on;
}

/** The site for a new node: undefined unless tracking is on. */
export function currentSite(): string | undefined {
  return tracking ? userSite() : undefined;
}

const places = new WeakMap<object, Error>();

/** Remembers where `owner` (a node) is built; the stack becomes a line only when `siteOf` asks, which is what costs time. */
export function rememberSite(owner: object): void {
  places.set(owner, captured());
}

/** `to` was built in place of `from`. */
export function copySite(from: object, to: object): void {
  const place = places.get(from);
  if (place) places.set(to, place);
}

/** Whether one was built in place of the other, or both in place of a third. */
export function isSameSite(a: object, b: object): boolean {
  const place = places.get(a);
  return place !== undefined && place === places.get(b);
}

/** `file:line:column` of the user code that built `owner`, if that was remembered. */
export function siteOf(owner: object): string | undefined {
  return siteIn(places.get(owner)?.stack);
}

function captured(): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 50;
  const error = new Error();
  Error.stackTraceLimit = limit;
  return error;
}

/** `file:line:column` of the innermost stack frame outside of Gradus, or undefined if there is none. */
export function userSite(): string | undefined {
  return siteIn(captured().stack);
}

function siteIn(stack = ''): string | undefined {
  for (const line of stack.split('\n').slice(1)) {
    const match = /[ (]((?:file:\/\/|https?:\/\/|\/|[A-Za-z]:\\)[^()]*:\d+:\d+)\)?$/.exec(line);
    if (!match) continue;
    const place = match[1];
    const isOurs = ours.some((folder) => place.includes(folder));
    if ((isOurs && !/\.test\.[jt]s/.test(place)) || place.includes('node_modules') || place.startsWith('node:'))
      continue;
    return place.replace(/^file:\/\//, '');
  }
  return undefined;
}
