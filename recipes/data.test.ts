/** @file Data of recipes: a folder that was given, a download kept for the next time, and what is said where neither is to be had. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'fflate';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { findData } from './clinical/data.ts';
import { dataFile } from './data.ts';
import { findCells, readVoc } from './detection/data.ts';
import { findScenes } from './segmentation/data.ts';

const content = Buffer.from('some data');
const md5 = createHash('md5').update(content).digest('hex');
const home = process.cwd();
let folder: string;
let server: Server;
let url: string;
let asked = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-fetch-'));
  process.chdir(folder);
  server = createServer((request, response) => {
    asked++;
    if (request.url === '/broken')
      response.writeHead(200, { 'content-length': '100' }).write('half', () => response.destroy());
    else if (request.url === '/file') response.end(content);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  vi.stubEnv('GRADUS_DATA', '');
  vi.spyOn(console, 'log').mockImplementation(() => undefined);
});
afterAll(async () => {
  process.chdir(home);
  server.closeAllConnections();
  server.close();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

it('fetches once, keeps what has the right checksum', async () => {
  const file = { name: 'set/file.gz', url: `${url}/file`, md5 };
  const path = await dataFile(file, '');
  expect(path).toBe(join('runs', 'data', 'set', 'file.gz'));
  expect(await readFile(path)).toEqual(content);
  await dataFile(file, '');
  expect(asked).toBe(1);
});

it('says where a file can be had, and keeps nothing of a download that failed', async () => {
  const get = (name: string, path: string, more = {}) => dataFile({ name, url: `${url}${path}`, ...more }, '');
  await expect(get('a', '/none')).rejects.toThrow(/\/none: HTTP 404; fetch it yourself to <folder>\/a and pass --data/);
  await expect(get('b', '/broken')).rejects.toThrow(/\/broken: the connection broke; try again, or fetch it yourself/);
  await expect(get('c', '/file', { md5: 'f'.repeat(32) })).rejects.toThrow(
    `/file has changed or is damaged: MD5 ${md5}, expected ${'f'.repeat(32)}; fetch it yourself`,
  );
  const closed = { name: 'd', url: 'http://127.0.0.1:9/x' };
  await expect(dataFile(closed, '')).rejects.toThrow(
    '127.0.0.1:9/x cannot be reached; fetch it yourself to <folder>/d',
  );
  await expect(readFile(join('runs', 'data', 'c'))).rejects.toThrow('ENOENT');
  await expect(dataFile(closed, folder)).rejects.toThrow(
    `${folder} (--data or GRADUS_DATA) has no file d; it can be had`,
  );
});

it('finds the sets of recipes in a folder, or kept by an earlier run', async () => {
  expect(await findCells('/data/BCCD')).toBe('/data/BCCD');
  expect(await findCells('/data')).toBe(join('/data', 'bccd'));
  expect(await findScenes('/data/camvid.tar.gz')).toEqual({ source: '/data/camvid.tar.gz', step: 1 });
  await expect(findScenes(folder)).rejects.toThrow('has no file camvid/camvid-240x180.tar.gz');
  await expect(findData(folder)).rejects.toThrow('has no file pneumoniamnist/pneumoniamnist.npz; it can be had from');
  await mkdir('runs/data/camvid', { recursive: true });
  await writeFile('runs/data/camvid/camvid-480x360.tar.gz', '');
  await writeFile('runs/data/bccd.tar.gz', '');
  expect(await findCells('')).toBe(join('runs', 'data', 'bccd.tar.gz'));
  expect(await findScenes('')).toEqual({ source: join('runs', 'data', 'camvid', 'camvid-480x360.tar.gz'), step: 2 });
});

it('reads cells from the archive of a repository', async () => {
  const sharp = (await import('sharp')).default;
  const image = await sharp({ create: { width: 8, height: 6, channels: 3, background: '#c83232' } })
    .jpeg()
    .toBuffer();
  const box = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>9</ymax></bndbox>';
  const xml = `<size><width>8</width><height>6</height></size><object><name>WBC</name>${box}</object>`;
  const files = {
    'JPEGImages/a.jpg': image,
    'Annotations/a.xml': Buffer.from(xml),
    'ImageSets/Main/val.txt': Buffer.from('a\n'),
  };
  const blocks = Object.entries(files).flatMap(([name, bytes]) => {
    const header = Buffer.alloc(512);
    header.write(`BCCD_Dataset-d272/BCCD/${name}`, 0);
    header.write(bytes.length.toString(8).padStart(11, '0'), 124);
    header.write('        ', 148);
    header.write('0', 156);
    const sum = header.reduce((a, b) => a + b);
    header.write(sum.toString(8).padStart(6, '0'), 148);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  const source = join(folder, 'cells.tar.gz');
  await writeFile(source, gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)])));
  const [scene] = await readVoc({ source, part: 'val', size: [6, 8] });
  expect(scene.image.shape).toEqual([3, 6, 8]);
  // The box reaches below the picture and is cut there.
  expect(scene.objects).toEqual({ boxes: [[1, 1, 5, 6]], labels: [1] });
  await expect(readVoc({ source, part: 'test', size: [6, 8] })).rejects.toThrow('has no file ImageSets/Main/test.txt');
  await expect(readVoc({ source: join(folder, 'none'), part: 'val', size: [6, 8] })).rejects.toThrow(
    'there is no such folder or archive of BCCD',
  );
});
