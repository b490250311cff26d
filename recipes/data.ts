/** @file Where recipes find their data: a path that was given, the folder GRADUS_DATA, or a download kept in runs/data. */
import { createHash } from 'node:crypto';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ArgumentError } from 'gradus';

export interface DataFile {
  /** Path below a folder of data sets, such as `tinyshakespeare/input.txt.gz`. */
  readonly name: string;
  /** Where it can be had. */
  readonly url: string;
  /** MD5 of the downloaded bytes as the publisher gives it, against changed and broken downloads; not checked without it. */
  readonly md5?: string;
}

const exists = async (path: string) => await stat(path).then(Boolean, () => false);

/**
 * Path of a data file: in the folder `given`, else in GRADUS_DATA, else downloaded once to runs/data.
 * @throws ArgumentError where the folder lacks the file, or the download fails or is not what it should be.
 */
export async function dataFile({ name, url, md5 }: DataFile, given = process.env.GRADUS_DATA): Promise<string> {
  if (given) {
    const path = join(given, name);
    if (await exists(path)) return path;
    throw new ArgumentError(`${given} (--data or GRADUS_DATA) has no file ${name}; it can be had from ${url}`);
  }
  const path = join('runs', 'data', name);
  if (await exists(path)) return path;
  console.log(`fetching ${url}`);
  const advice = `fetch it yourself to <folder>/${name} and pass --data <folder>`;
  const response = await fetch(url).catch((cause: unknown) => {
    throw new ArgumentError(`${url} cannot be reached; ${advice}`, { cause });
  });
  if (!response.ok) throw new ArgumentError(`${url}: HTTP ${response.status}; ${advice}`);
  const bytes = await response.arrayBuffer().then(
    (buffer) => new Uint8Array(buffer),
    (cause: unknown) => {
      throw new ArgumentError(`${url}: the connection broke; try again, or ${advice}`, { cause });
    },
  );
  const found = createHash('md5').update(bytes).digest('hex');
  if (md5 !== undefined && found !== md5)
    throw new ArgumentError(`${url} has changed or is damaged: MD5 ${found}, expected ${md5}; ${advice}`);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.part`, bytes);
  await rename(`${path}.part`, path);
  return path;
}
