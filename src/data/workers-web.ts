/** @file Worker threads and processes where there are none. */
import { UnsupportedError } from '../ir/errors.ts';
import type { OpenPool } from './fetch.ts';
import type { ParseApart } from './readers/parquet-apart.ts';

/** @throws UnsupportedError always. */
export const openPool: OpenPool = () => {
  throw new UnsupportedError('DataLoader: workers need Node; use workers: 0 (the default) in a browser');
};

/** No process can be started here: Parquet is decoded in place. */
export const parseApart: ParseApart | undefined = undefined;
