/** @file What needs Node: readers of files. Everything of `gradus/data` is in it, too. */
export * from './index.ts';
