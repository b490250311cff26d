/** @file Packages that only Node has, loaded when needed, so that code which may use them still bundles for a browser. */
import { UnsupportedError } from '../ir/errors.ts';

/** The packages loaded this way, with their types. */
interface NodePackages {
  sharp: typeof import('sharp');
  'cli-progress': typeof import('cli-progress');
  '@huggingface/hub': typeof import('@huggingface/hub');
}

/**
 * Imports a package by a name that bundlers do not follow.
 * @throws UnsupportedError where it is not installed, or not in Node.
 */
export async function nodePackage<K extends keyof NodePackages>(name: K): Promise<NodePackages[K]> {
  try {
    const specifier: string = name;
    return await import(/* @vite-ignore */ /* webpackIgnore: true */ specifier);
  } catch (error) {
    throw new UnsupportedError(
      `the package ${name} is needed here: it works in Node only; install it by npm i ${name}`,
      {
        cause: error,
      },
    );
  }
}
