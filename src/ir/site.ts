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

/** `file:line:column` of the innermost stack frame outside of Gradus, or undefined if there is none. */
export function userSite(): string | undefined {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 50;
  const stack = new Error().stack ?? '';
  Error.stackTraceLimit = limit;
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
