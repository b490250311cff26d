/** @file The version of the package. */
import { readFileSync } from 'node:fs';

/** The version in package.json, which lies two folders above this file in sources and build alike. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}
