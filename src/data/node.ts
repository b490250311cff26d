/** @file What needs Node: readers of files. Everything of `gradus/data` is in it, too. */
export * from './index.ts';
export {
  readCifar10,
  readCifar100,
  readIdx,
  readJsonl,
  readNpy,
  readNpz,
  readTar,
  readWav,
  streamJsonl,
} from './readers/arrays.ts';
export { readCsv, streamCsv } from './readers/csv.ts';
export { readFileBytes, streamFile } from './readers/files.ts';
export {
  decodeImage,
  ImageFolder,
  type ImageFolderOptions,
  type ImageOptions,
  type ImageSample,
  imageFolder,
  readImage,
} from './readers/images.ts';
export { readParquet, readParquetClassNames } from './readers/parquet.ts';
