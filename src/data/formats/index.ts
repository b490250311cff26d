/** @file Parsers of file formats from bytes in memory; run in Node and in browsers. */
export { maybeGunzip, type ReadOptions, type TextEncoding } from './bytes.ts';
export { type LabelledImages, parseCifar10, parseCifar100 } from './cifar.ts';
export { type CsvOptions, type CsvRow, parseCsv } from './csv.ts';
export { parseIdx } from './idx.ts';
export { type JsonlOptions, jsonlFromBytes, jsonlFromText, parseJsonl } from './jsonl.ts';
export { parseNpy, parseNpz } from './npy.ts';
export { type ParquetOptions, type ParquetRow, parseParquet } from './parquet.ts';
export { parseTar, type TarEntry } from './tar.ts';
export { parseWav, type Sound, type WavOptions } from './wav.ts';
