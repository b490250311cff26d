/** @file Readers of files: whole round trips on disk, gzip, broken and missing files; real data where GRADUS_DATA says. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ArgumentError, DataError, FormatError, GradusError } from '../../ir/errors.ts';
import { toNested } from '../../ir/ndarray.ts';
import { Random } from '../../ir/random.ts';
import {
  DataLoader,
  decodeImage,
  imageFolder,
  readCifar10,
  readCsv,
  readFileBytes,
  readIdx,
  readImage,
  readJsonl,
  readNpz,
  readParquet,
  readWav,
  stratifiedSplit,
  streamCsv,
  streamJsonl,
  TensorDataset,
} from '../node.ts';

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
const put = async (name: string, content: string | Uint8Array) => {
  await writeFile(at(name), content);
  return at(name);
};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-data-'));
});
afterAll(() => rm(folder, { recursive: true }));

const png = (r: number, g: number, b: number, width = 4, height = 3) =>
  sharp({ create: { width, height, channels: 3, background: { r, g, b } } })
    .png()
    .toBuffer();

describe('files', () => {
  it('reads plain and gzip alike', async () => {
    const text = 'a,b\n1,x\n2,y\n';
    for (const path of [await put('t.csv', text), await put('t.csv.gz', gzipSync(text))])
      expect(await readCsv(path)).toEqual([
        { a: '1', b: 'x' },
        { a: '2', b: 'y' },
      ]);
  });

  it('says what is missing or of the wrong kind', async () => {
    await expect(readCsv(at('none.csv'))).rejects.toThrow(`${at('none.csv')}: no such file`);
    await expect(readIdx(folder)).rejects.toThrow('expected a file, found a folder');
    await expect(imageFolder(at('none'))).rejects.toThrow('no such folder');
    await expect(imageFolder(await put('file.txt', ''))).rejects.toThrow('expected a folder, found a file');
    const bomb = await put('bomb.gz', gzipSync(new Uint8Array(20_000_000)));
    await expect(readFileBytes(bomb, { maxBytes: 1e6 })).rejects.toThrow('bomb.gz: more than 1000000 bytes');
  });
});

describe('CSV and JSON lines', () => {
  it('streams in bounded pieces, stops early, names file and line', async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => `${i},"row ${i}"`).join('\n');
    const path = await put('big.csv.gz', gzipSync(`i,t\n${rows}\n`));
    let count = 0;
    for await (const row of streamCsv(path)) {
      expect(row.i).toBe(String(count++));
      if (count === 10) break;
    }
    expect((await readCsv(path)).length).toBe(50_000);
    const batches: number[][] = [];
    const loader = new DataLoader(
      streamCsv(path)
        .map((r) => ({ i: Number(r.i) }))
        .take(5),
      { batchSize: 2, tensors: false },
    );
    for await (const { i } of loader) batches.push([...i.data]);
    expect(batches).toEqual([[0, 1], [2, 3], [4]]);
    const bad = await put('bad.csv', `i,t\n${rows.slice(0, 1000)}\n7\n`);
    await expect(readCsv(bad)).rejects.toThrow(FormatError);
    await expect(readCsv(bad)).rejects.toThrow(/bad\.csv, line \d+: expected 2 columns as in the first row, found 1/);
    const cut = await put('cut.csv.gz', gzipSync(rows).subarray(0, 5000));
    await expect(readCsv(cut)).rejects.toThrow(/cut\.csv\.gz: the gzip data is corrupt or truncated/);
    const latin = await put('latin.csv', Uint8Array.of(97, 10, 0xe9, 10));
    await expect(readCsv(latin)).rejects.toThrow('not valid utf-8');
    expect(await readCsv(latin, { encoding: 'latin1' })).toEqual([{ a: 'é' }]);
  });

  it('reads JSON lines', async () => {
    const path = await put('d.jsonl.gz', gzipSync('{"text":"é","label":1}\n{"text":"b","label":0}\n'));
    expect(await readJsonl(path)).toEqual([
      { text: 'é', label: 1 },
      { text: 'b', label: 0 },
    ]);
    expect((await streamJsonl(path).take(1).toDataset()).length).toBe(1);
    await expect(readJsonl(await put('bad.jsonl', '1\nx'))).rejects.toThrow(/bad\.jsonl, line 2: not JSON/);
  });
});

describe('Parquet', () => {
  it('reads rows in a process of its own and refuses damage', async () => {
    const buffer = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'v', data: [1, 2, 3], type: 'INT32' }] }));
    const path = await put('t.parquet', buffer);
    expect(await readParquet(path)).toEqual([{ v: 1 }, { v: 2 }, { v: 3 }]);
    await expect(readParquet(path, { columns: ['w'] })).rejects.toThrow(/t\.parquet: no column 'w'; it has v/);
    await expect(readParquet(await put('bad.parquet', buffer.subarray(3)))).rejects.toThrow(FormatError);
    await expect(readParquet(path, { timeout: 0.001 })).rejects.toThrow(
      'not parsed within 0.001 s; the file is damaged or hostile',
    );
  });
});

describe('hostile Parquet', () => {
  it('ends with rows or a GradusError, and stops a file that keeps the decoder busy', async () => {
    const good = new Uint8Array(
      parquetWriteBuffer({
        columnData: [{ name: 'v', data: Array.from({ length: 40 }, (_, i) => `s${i % 3}`), type: 'STRING' }],
        codec: 'UNCOMPRESSED',
      }),
    );
    const random = new Random(1);
    let refused = 0;
    for (let run = 0; run < 10; run++) {
      const mutated = good.slice();
      for (let k = 0; k < 3; k++) mutated[random.int(4, mutated.length - 8)] = random.int(0, 256);
      const path = await put('mutated.parquet', mutated);
      await readParquet(path, { timeout: 5, maxBytes: 2 ** 28 }).catch((error: unknown) => {
        expect(error).toBeInstanceOf(GradusError);
        refused++;
      });
    }
    expect(refused).toBeGreaterThan(3);
    const greedy = good.slice();
    greedy.set([254, 255, 255, 255, 15], 43); // a run length of 2^31 in place of a short one
    await expect(readParquet(await put('greedy.parquet', greedy), { timeout: 10, maxBytes: 2 ** 27 })).rejects.toThrow(
      /greedy\.parquet: (the decoder ran out of memory|not parsed within 10 s).*; the file is damaged or hostile/,
    );
  });
});

describe('arrays', () => {
  it('joins CIFAR files, names the file of a fault', async () => {
    const record = (label: number) => Uint8Array.of(label, ...new Array<number>(3072).fill(label));
    const a = await put('1.bin', record(3));
    const b = await put('2.bin.gz', gzipSync(Buffer.concat([record(4), record(5)])));
    const { images, labels } = await readCifar10([a, b]);
    expect([images.shape, toNested(labels)]).toEqual([
      [3, 3, 32, 32],
      [3, 4, 5],
    ]);
    await expect(readCifar10(await put('x.bin', new Uint8Array(5)))).rejects.toThrow(
      /x\.bin: 5 bytes are no whole number/,
    );
    await expect(readIdx(await put('x.idx', new Uint8Array(5)))).rejects.toThrow(/x\.idx: no IDX file/);
    await expect(readNpz(await put('x.npz', new Uint8Array(50)))).rejects.toThrow(
      /x\.npz: the \.npz archive is damaged/,
    );
    await expect(readWav(await put('x.wav', new Uint8Array(50)))).rejects.toThrow(/x\.wav: no WAV file/);
    await expect(readCifar10([])).rejects.toThrow(ArgumentError);
  });
});

describe('images', () => {
  it('decodes colour, grey, alpha, 16 bits, palettes and masks to uint8', async () => {
    const rgb = await decodeImage(await png(10, 20, 30));
    expect([rgb.shape, [...rgb.data.subarray(0, 3)], rgb.dtype]).toEqual([[3, 4, 3], [10, 20, 30], 'uint8']);
    expect((await decodeImage(await png(50, 50, 50), { color: 'grey' })).shape).toEqual([3, 4, 1]);
    const alpha = await sharp({
      create: { width: 2, height: 2, channels: 4, background: { r: 200, g: 100, b: 0, alpha: 0.5 } },
    })
      .png()
      .toBuffer();
    expect([...(await decodeImage(alpha)).data.subarray(0, 3)]).toEqual([200, 100, 0]);
    const grey = await sharp(Buffer.from([0, 128, 255, 7]), { raw: { width: 2, height: 2, channels: 1 } })
      .png()
      .toBuffer();
    expect(toNested(await decodeImage(grey, { color: 'grey' }))).toEqual([
      [[0], [128]],
      [[255], [7]],
    ]);
    expect((await decodeImage(grey)).shape).toEqual([2, 2, 3]);
    expect(toNested(await decodeImage(grey, { color: 'index' }))).toEqual([
      [[0], [128]],
      [[255], [7]],
    ]);
    const deep = await sharp(Buffer.from([0, 128, 255, 7]), { raw: { width: 2, height: 2, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toBuffer();
    expect((await decodeImage(deep, { color: 'grey' })).dtype).toBe('uint8');
  });

  it('turns images upright by EXIF orientation', async () => {
    const turned = await sharp(await png(9, 9, 9, 4, 2))
      .jpeg()
      .withMetadata({ orientation: 6 })
      .toBuffer();
    expect((await decodeImage(turned)).shape).toEqual([4, 2, 3]);
  });

  it('refuses what is no image, cut off, or too large', async () => {
    const good = await sharp(await png(1, 2, 3, 64, 64))
      .jpeg()
      .toBuffer();
    for (const bad of [
      new Uint8Array(),
      Uint8Array.of(1, 2, 3),
      good.subarray(0, good.length >> 1),
      good.subarray(0, 20),
    ])
      await expect(decodeImage(bad, { name: 'bad.jpg' })).rejects.toThrow(FormatError);
    await expect(decodeImage(good, { maxPixels: 100 })).rejects.toThrow(/pixel limit/);
    for (let i = 0; i < good.length; i += 23) {
      const mutated = Uint8Array.from(good);
      mutated[i] ^= 0xff;
      const error = await decodeImage(mutated).then(
        () => undefined,
        (e: unknown) => e,
      );
      if (error !== undefined) expect(error).toBeInstanceOf(FormatError);
    }
  });

  it('gives no drawings, archives or other formats to the decoder', async () => {
    const refuses = async (bytes: Uint8Array | string, why: string) =>
      await expect(decodeImage(Buffer.from(bytes), { name: 'x.png' })).rejects.toThrow(
        `x.png: no readable image (${why}`,
      );
    const drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>';
    await refuses(drawing, 'neither JPEG');
    await refuses(`<?xml version="1.0"?>${drawing}`, 'neither JPEG');
    await refuses('BM6', 'BMP; save it as PNG)');
    await writeFile(at('packed.png'), gzipSync(await png(1, 2, 3)));
    await expect(readImage(at('packed.png'))).rejects.toThrow('packed.png: no readable image (neither JPEG');
  });

  it('finds images behind links and names with any signs; pipes are none, links into nowhere are told', async () => {
    const [here, there] = [at('linked', 'a #1 100%'), at('elsewhere')];
    await mkdir(here, { recursive: true });
    await mkdir(there);
    await writeFile(join(here, 'ü 漢 %20?.PNG'), await png(1, 2, 3));
    await writeFile(join(there, 'y.png'), await png(4, 5, 6));
    await symlink(there, at('linked', 'b'));
    await symlink(at('linked'), join(there, 'around'));
    await symlink(at('nowhere.png'), join(here, 'z.png'));
    execFileSync('mkfifo', [join(here, 'pipe.png')]);
    const data = await imageFolder(at('linked'), { onError: 'skip' });
    expect(data.classes).toEqual(['a #1 100%', 'b']);
    const paths = Array.from({ length: data.length }, (_, i) => [data.path(i), data.labels[i]]);
    expect(paths).toContainEqual([join(here, 'ü 漢 %20?.PNG'), 0]);
    expect(paths).toContainEqual([at('linked', 'b', 'y.png'), 1]);
    expect(paths.some(([path]) => String(path).endsWith('pipe.png'))).toBe(false);
    expect(data.skipped[0]).toEqual({ path: join(here, 'z.png'), reason: `${join(here, 'z.png')}: no such file` });
  });

  it('serves a folder per class, fatal or skipping corrupt images', async () => {
    for (const [name, value] of [
      ['cat', 10],
      ['dog', 200],
    ] as const) {
      await mkdir(at('pets', name, 'deep'), { recursive: true });
      for (let i = 0; i < 3; i++)
        await writeFile(at('pets', name, i === 2 ? 'deep' : '', `${i}.png`), await png(value, i, 0));
    }
    await writeFile(at('pets', 'notes.txt'), 'x');
    const data = await imageFolder(at('pets'));
    expect([data.length, data.classes, [...data.labels]]).toEqual([6, ['cat', 'dog'], [0, 0, 0, 1, 1, 1]]);
    const { x, y, path } = await data.get(3);
    expect([x.shape, x.data[0], y, path]).toEqual([[3, 4, 3], 200, 1, at('pets', 'dog', '0.png')]);
    const [train, test] = await stratifiedSplit(data, [2 / 3, 1 / 3], data.labels);
    expect([train.length, test.length]).toEqual([4, 2]);

    await writeFile(at('pets', 'dog', 'broken.png'), 'no png');
    const fatal = await imageFolder(at('pets'));
    expect(fatal.length).toBe(7);
    const error = await (async () => {
      for await (const _ of new DataLoader(
        fatal.map(({ x, y }) => ({ x, y })),
        { batchSize: 7, tensors: false },
      ));
    })().catch((e: unknown) => e as Error);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toMatch(
      /^sample 5 could not be read: FormatError: .*broken\.png: no readable image/,
    );
    const skipping = await imageFolder(at('pets'), { onError: 'skip' });
    expect(skipping.length).toBe(6);
    expect(skipping.skipped).toMatchObject([{ path: at('pets', 'dog', 'broken.png') }]);

    expect((await imageFolder(at('pets'), { classes: ['dog', 'cat', 'fox'], onError: 'skip' })).labels[0]).toBe(1);
    await expect(imageFolder(at('pets'), { classes: ['dog'] })).rejects.toThrow("folder 'cat' is no known class (dog)");
    await mkdir(at('empty', 'class'), { recursive: true });
    await expect(imageFolder(at('empty', 'class'))).rejects.toThrow('no class folders');
    await expect(imageFolder(at('empty'))).rejects.toThrow('no readable image in class');
    await expect(readImage(at('pets', 'dog', 'broken.png'))).rejects.toThrow('broken.png: no readable image');
  });
});

const real = process.env.GRADUS_DATA;
describe.runIf(real !== undefined && existsSync(real))('real data in GRADUS_DATA', () => {
  const file = (...names: string[]) => join(real ?? '', ...names);
  it('MNIST', async () => {
    const x = await readIdx(file('mnist', 't10k-images-idx3-ubyte.gz'));
    const y = await readIdx(file('mnist', 't10k-labels-idx1-ubyte.gz'));
    expect([x.shape, y.shape]).toEqual([[10_000, 28, 28], [10_000]]);
    const counts = new Array<number>(10).fill(0);
    for (const label of y.data) counts[label]++;
    expect(counts).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    expect(new TensorDataset({ x, y }).length).toBe(10_000);
  });
  it('CIFAR-10', async () => {
    const { images } = await readCifar10(file('cifar-10-batches-bin', 'test_batch.bin.gz'));
    const means = [0, 1, 2].map((c) => {
      let sum = 0;
      for (let i = 0; i < 10_000; i++) for (let p = 0; p < 1024; p++) sum += images.data[i * 3072 + c * 1024 + p];
      return sum / 10_000 / 1024 / 255;
    });
    expect(means.map((m) => m.toFixed(4))).toEqual(['0.4942', '0.4851', '0.4504']);
  });
  it('tables, text, NumPy', async () => {
    expect(await readCsv(file('ml-latest-small', 'ratings.csv.gz'))).toHaveLength(100_836);
    expect(await readCsv(file('banking77', 'train.csv.gz'))).toHaveLength(10_003);
    expect(await readJsonl(file('imdb', 'test.jsonl.gz'))).toHaveLength(25_000);
    expect((await readNpz(file('pneumoniamnist', 'pneumoniamnist.npz'))).train_images.shape).toEqual([4708, 28, 28]);
  });
});
