/** @file Worker threads where there are none: a clear error. */
import { UnsupportedError } from '../ir/errors.ts';
import type { OpenPool } from './fetch.ts';

/** @throws UnsupportedError always. */
export const openPool: OpenPool = () => {
  throw new UnsupportedError('DataLoader: workers need Node; use workers: 0 (the default) in a browser');
};
