/** @file Downloads from a server that speaks the hub's protocol, and fails in the ways that networks fail. */
import { createHash } from 'node:crypto';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Linear } from '../nn/index.ts';
import { snapshot } from '../train/checkpoint.ts';
import { writeSafetensors } from '../train/safetensors.ts';
import { download } from './download.ts';
import { dataFiles, hubDatasetFiles } from './hub-dataset.ts';
import { HubError } from './hub-error.ts';
import { loadModel } from './save-model.ts';
import { openSource, readJson } from './source.ts';
import { openWeights } from './weights.ts';

const commit = 'a'.repeat(40);
const big = Buffer.alloc(300_000, 'weights ');
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');
const gitHash = (data: Buffer) => createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');

interface Asked {
  readonly url: string;
  readonly range: string | undefined;
  readonly token: string | undefined;
}

/** What the server does instead of serving a file. */
type Fault = (request: IncomingMessage, response: ServerResponse, data: Buffer) => boolean;

let server: Server;
let endpoint: string;
let cache: string;
let files: Record<string, Buffer>;
let listing: (entry: Record<string, unknown>) => Record<string, unknown>;
let asked: Asked[];
let fault: Fault;
let status: number;

function serve(request: IncomingMessage, response: ServerResponse): void {
  const url = decodeURIComponent(request.url ?? '');
  const { range, authorization: token } = request.headers;
  asked.push({ url, range, token });
  const json = (value: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
  if (status !== 200) return void response.writeHead(status).end('no');
  if (url.includes('/revision/')) return void json({ sha: commit });
  if (url.includes('/tree/'))
    return void json(
      Object.entries(files).map(([path, data]) => {
        const lfs = data.length > 1000 ? { lfs: { oid: sha256(data), size: data.length, pointerSize: 100 } } : {};
        return listing({ type: 'file', path, size: data.length, oid: gitHash(data), ...lfs });
      }),
    );
  const data = files[url.slice(url.indexOf(commit) + 41)];
  if (!data) return void response.writeHead(404).end();
  if (fault(request, response, data)) return;
  const start = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
  if (start > 0) response.writeHead(206, { 'content-range': `bytes ${start}-${data.length - 1}/${data.length}` });
  response.end(data.subarray(start));
}

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'gradus-'));
  files = {
    'config.json': Buffer.from('{"model_type": "bert"}'),
    'model.safetensors': big,
    'sub/empty.txt': Buffer.alloc(0),
  };
  listing = (entry) => entry;
  asked = [];
  fault = () => false;
  status = 200;
  server = createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  endpoint = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  vi.stubEnv('HF_ENDPOINT', endpoint);
  vi.stubEnv('HF_HUB_CACHE', cache);
  vi.stubEnv('HF_HUB_OFFLINE', '');
  vi.stubEnv('HF_TOKEN', '');
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true, force: true });
});

const repository = () => join(cache, 'models--owner--name');
const downloads = () => asked.filter((a) => a.url.includes('/resolve/'));

describe('a model of the hub', () => {
  it('gives its weights to any module of these keys', async () => {
    const trained = new Linear(2, 3);
    files = { 'model.safetensors': Buffer.from(writeSafetensors(await snapshot(trained.stateDict()))) };
    const model = new Linear(2, 3);
    await loadModel(model, 'owner/name');
    expect(await model.weight.array()).toEqual(await trained.weight.array());
    await expect(loadModel(new Linear(2, 4), 'owner/name', { offline: true })).rejects.toThrow(
      "owner/name: state dict entry 'weight' has shape [3, 2], the model needs [4, 2]",
    );
    status = 404;
    await expect(loadModel(model, 'owner/other')).rejects.toThrow(
      'model owner/other (revision main): the hub answers 404',
    );
  });

  it('is kept in the layout of huggingface_hub, and fetched once', async () => {
    const source = await openSource('owner/name', { token: 'hf_secret' });
    expect(await readJson(source, 'config.json')).toEqual({ model_type: 'bert' });
    const path = await source.path('model.safetensors');
    expect(await readFile(path)).toEqual(big);
    expect(await readFile(await source.path('sub/empty.txt'), 'utf8')).toBe('');
    expect(path).toBe(join(repository(), 'snapshots', commit, 'model.safetensors'));
    expect(await readlink(path)).toBe(join('..', '..', 'blobs', sha256(big)));
    expect(await readFile(join(repository(), 'refs', 'main'), 'utf8')).toBe(commit);
    expect(await source.has('model.safetensors')).toBe(true);
    expect(await source.has('tokenizer.json')).toBe(false);
    await expect(source.path('tokenizer.json')).rejects.toThrow('model owner/name holds no file tokenizer.json');
    expect(asked.every((a) => a.token === 'Bearer hf_secret')).toBe(true);
    await (await openSource('owner/name')).path('model.safetensors');
    expect(downloads()).toHaveLength(3);
    expect((await readdir(join(repository(), 'blobs'))).sort()).toEqual(
      [gitHash(files['config.json']), gitHash(Buffer.alloc(0)), sha256(big)].sort(),
    );
  });

  it('works without a connection from the cache', async () => {
    await (await openSource('owner/name')).path('config.json');
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    const before = asked.length;
    const source = await openSource('owner/name');
    expect(await readJson(source, 'config.json')).toEqual({ model_type: 'bert' });
    expect(await source.has('model.safetensors')).toBe(false);
    await expect(source.path('model.safetensors')).rejects.toThrow('is not in the cache');
    await expect(openSource('owner/other')).rejects.toThrow('give a local folder, or unset HF_HUB_OFFLINE');
    expect(asked.length).toBe(before);
  });

  it('is taken from the cache where the hub cannot be reached, and else the error says what to do', async () => {
    await (await openSource('owner/name')).path('config.json');
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    expect(await readJson(await openSource('owner/name'), 'config.json')).toEqual({ model_type: 'bert' });
    expect(warned.mock.calls[0][0]).toContain('Using the cached files of commit aaaa');
    warned.mockRestore();
    const pinned = await openSource('owner/name', { revision: commit });
    expect(await readJson(pinned, 'config.json')).toEqual({ model_type: 'bert' });
    expect(await pinned.has('config.json')).toBe(true);
    await expect(pinned.path('model.safetensors')).rejects.toThrow('no connection');
    await expect(openSource('owner/other')).rejects.toThrow(
      /no connection to http:\/\/127.0.0.1:9 .*give the path of a local folder/,
    );
  });

  it.each([
    [401, 'set HF_TOKEN'],
    [403, 'accept its terms'],
    [404, 'check the spelling'],
    [500, 'try again later'],
  ])('answers %i with a remedy', async (code, remedy) => {
    status = code;
    const error = await openSource('owner/name').catch((e) => e);
    expect(error).toBeInstanceOf(HubError);
    expect(error.status).toBe(code);
    expect(error.message).toContain(remedy);
  });

  it('goes on where the connection broke', async () => {
    let times = 0;
    fault = (request, response, data) => {
      if (data !== big || ++times > 2) return false;
      const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const range = { 'content-range': `bytes ${start}-${data.length - 1}/${data.length}` };
      response.writeHead(start ? 206 : 200, { 'content-length': data.length - start, ...(start ? range : {}) });
      response.write(data.subarray(start, start + 100_000), () => setTimeout(() => response.destroy(), 20));
      return true;
    };
    const path = await (await openSource('owner/name')).path('model.safetensors');
    expect(await readFile(path)).toEqual(big);
    expect(downloads().map((a) => a.range)).toEqual([undefined, 'bytes=100000-', 'bytes=200000-']);
  });

  it('continues the part of an earlier process, and starts anew if that was of another file', async () => {
    const blobs = join(repository(), 'blobs');
    await mkdir(blobs, { recursive: true });
    const partial = join(blobs, `${sha256(big)}.incomplete`);
    await writeFile(partial, big.subarray(0, 1234));
    await (await openSource('owner/name')).path('model.safetensors');
    expect(downloads().map((a) => a.range)).toEqual(['bytes=1234-']);
    await rm(join(blobs, sha256(big)));
    await writeFile(partial, Buffer.alloc(5000, 'x'));
    const path = await (await openSource('owner/name')).path('model.safetensors');
    expect(await readFile(path)).toEqual(big);
    expect(downloads().map((a) => a.range)).toEqual(['bytes=1234-', 'bytes=5000-', undefined]);
  });

  it('takes the whole file from a server without ranges', async () => {
    const blobs = join(repository(), 'blobs');
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, `${sha256(big)}.incomplete`), big.subarray(0, 1234));
    fault = (_, response, data) => {
      response.end(data);
      return true;
    };
    expect(await readFile(await (await openSource('owner/name')).path('model.safetensors'))).toEqual(big);
  });

  it.each([
    ['another content', Buffer.alloc(big.length, 'x'), /has the hash \w+, expected \w+; it was deleted/],
    ['more than announced', Buffer.concat([big, big]), 'sends more than the 300000 bytes'],
  ])('never uses %s', async (_, sent, message) => {
    fault = (_request, response) => {
      response.end(sent);
      return true;
    };
    const source = await openSource('owner/name');
    await expect(source.path('model.safetensors')).rejects.toThrow(message);
    await expect(lstat(join(repository(), 'snapshots', commit, 'model.safetensors'))).rejects.toThrow('ENOENT');
    expect(await readdir(join(repository(), 'blobs'))).not.toContain(sha256(big));
  });

  it('gives up after some attempts, and keeps what came', async () => {
    const target = join(cache, 'file');
    fault = (_, response) => {
      response.destroy();
      return true;
    };
    const url = `${endpoint}/owner/name/resolve/${commit}/model.safetensors`;
    const file = { url, endpoint, target, what: 'file', token: undefined, timeout: 5, retryDelay: 1 };
    await writeFile(`${target}.incomplete`, big.subarray(0, 1000));
    await expect(download({ ...file, size: big.length, hash: sha256(big) })).rejects.toThrow(
      /file \(1000 of 300000 bytes\): no connection/,
    );
    expect((await readdir(cache)).sort()).toEqual(['file.incomplete']);
  });

  it('does not wait for ever', async () => {
    const target = join(cache, 'file');
    fault = (_, response, data) => {
      response.writeHead(200, { 'content-length': data.length }).write(data.subarray(0, 10));
      return true;
    };
    const url = `${endpoint}/owner/name/resolve/${commit}/config.json`;
    const file = { url, endpoint, target, what: 'file', token: undefined, timeout: 0.1, retryDelay: 1 };
    const data = files['config.json'];
    await expect(download({ ...file, size: data.length, hash: gitHash(data) })).rejects.toThrow('no data for 0.1 s');
  });

  it('never writes outside of the cache', async () => {
    files['../../../evil.json'] = Buffer.from('{}');
    const source = await openSource('owner/name');
    for (const file of ['../../../evil.json', '/etc/passwd', 'a/../../b', 'C:\\x'])
      await expect(source.path(file)).rejects.toThrow(/file name/);
    files['model.safetensors.index.json'] = Buffer.from('{"weight_map": {"w": "../../../evil.json"}}');
    delete files['model.safetensors'];
    const sharded = await openSource('owner/name');
    await expect(openWeights(sharded)).rejects.toThrow('leaves the folder');
    for (const name of ['../x', 'a/b/c', 'a--b', 'a..b', '.hidden/x', 'a b'])
      await expect(openSource(name)).rejects.toThrow('there is no folder');
    await expect(openSource('owner/name', { revision: '../main' })).rejects.toThrow('expected a branch, tag or commit');
  });

  it('refuses a listing without hashes and a commit that is none', async () => {
    listing = (entry) => ({ ...entry, oid: '../../x', lfs: undefined });
    await expect((await openSource('owner/name')).path('config.json')).rejects.toThrow('without a size and hash');
  });
});

describe('hubDatasetFiles', () => {
  it('downloads one split', async () => {
    files = {
      'README.md': Buffer.from('# data'),
      'plain_text/train-00000-of-00002.parquet': Buffer.from('one'),
      'plain_text/train-00001-of-00002.parquet': Buffer.from('two'),
      'plain_text/test-00000-of-00001.parquet': Buffer.from('three'),
    };
    const found = await hubDatasetFiles('stanfordnlp/imdb', { split: 'train' });
    expect(found).toMatchObject({ config: 'plain_text', split: 'train', splits: ['test', 'train'], format: 'parquet' });
    expect(await Promise.all(found.paths.map((path) => readFile(path, 'utf8')))).toEqual(['one', 'two']);
    expect(asked[0].url).toBe('/api/datasets/stanfordnlp/imdb/revision/main');
    expect(downloads()).toHaveLength(2);
    await expect(hubDatasetFiles('stanfordnlp/imdb', { split: 'dev' })).rejects.toThrow(
      "has no split 'dev'; it has test, train",
    );
    await expect(hubDatasetFiles('stanfordnlp/imdb', { config: 'x' })).rejects.toThrow(
      "no config 'x'; it has: plain_text",
    );
  });

  it('reads split and config from the names of files', () => {
    const of = (path: string) => dataFiles([path])[0];
    expect(of('data/train-00000-of-00001-0123abcd.parquet')).toMatchObject({ config: 'default', split: 'train' });
    expect(of('train.csv')).toMatchObject({ config: 'default', split: 'train', format: 'csv' });
    expect(of('en/dev.jsonl.gz')).toMatchObject({ config: 'en', split: 'validation', format: 'jsonl' });
    expect(of('default/test/0000.parquet')).toMatchObject({ config: 'default', split: 'test' });
    expect(of('sst2/partial-train/0000.parquet')).toMatchObject({ config: 'sst2', split: 'train' });
    expect(of('my_test_set.csv')).toMatchObject({ config: 'default', split: 'test' });
    expect(dataFiles(['README.md', 'latest.txt', 'x.json'])).toEqual([]);
    expect(of('contest.csv')).toMatchObject({ split: 'train' });
  });
});
