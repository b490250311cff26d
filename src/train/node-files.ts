/** @file Node's modules for files; apart from what uses them, so that no published type needs the types of Node. */
import { UnsupportedError } from '../ir/errors.ts';

/**
 * Node's modules for files, looked up at run time so that code which imports this file still bundles for a browser.
 * @throws UnsupportedError where there is no file system.
 */
export function nodeFiles() {
  if (typeof process === 'undefined' || process.getBuiltinModule === undefined)
    throw new UnsupportedError(
      'files need Node 20.16 or newer: in a browser, use the functions that take and give bytes',
    );
  return {
    fs: process.getBuiltinModule('node:fs/promises'),
    path: process.getBuiltinModule('node:path'),
    crypto: process.getBuiltinModule('node:crypto'),
  };
}
