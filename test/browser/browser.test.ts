/** @file An MLP trained in Chromium: the bundle has nothing of Node's, the losses are Node's. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { train } from './train.ts';

const executable = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path));
if (!executable && process.env.CI === 'true')
  throw new Error('the browser test needs Chromium: apt-get install chromium');
if (!executable) console.log('Browser test left out: no Chromium. On Debian: apt-get install chromium');

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** Serves a folder; with `isolated`, with the two headers without which a page has no threads. */
async function serve(folder: string, isolated: boolean): Promise<Server> {
  const headers = isolated
    ? { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
    : {};
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    const file = path === '/' ? '/index.html' : path;
    try {
      const body = await readFile(join(folder, file));
      response.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream', ...headers });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return server;
}

describe.runIf(executable)('in Chromium', () => {
  let folder: string;
  let context: BrowserContext;
  let expected: number[];
  const foreign = new Set<string>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gradus-browser-'));
    await build({
      configFile: false,
      root: fileURLToPath(new URL('./page', import.meta.url)),
      logLevel: 'error',
      plugins: [
        {
          name: 'nodes-own-modules',
          enforce: 'pre',
          resolveId(source, importer) {
            if (source.startsWith('node:')) foreign.add(`${source} by ${importer?.split('/').slice(-2).join('/')}`);
            return null;
          },
        },
      ],
      resolve: { conditions: ['gradus-source', 'module', 'browser', 'default'] },
      build: { outDir: join(folder, 'site'), target: 'es2023', minify: false, chunkSizeWarningLimit: 1e6 },
    });
    context = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath: executable,
      headless: true,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--enable-unsafe-webgpu',
        '--use-webgpu-adapter=swiftshader',
      ],
    });
    expected = await train(20);
  });

  afterAll(async () => {
    await context?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("bundles nothing of Node's own modules", () => {
    expect([...foreign]).toEqual([]);
  });

  it.each([
    ['without threads', false, ''],
    ['with threads (COOP and COEP headers)', true, ''],
    ['on WebGPU', false, '?device=webgpu'],
  ])('trains %s to the losses of Node', async (_, isolated, query) => {
    const server = await serve(join(folder, 'site'), isolated);
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    try {
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${query}`);
      await page.waitForFunction('globalThis.losses || globalThis.failure', undefined, { timeout: 30_000 });
      expect(await page.evaluate('globalThis.failure')).toBeUndefined();
      expect(await page.evaluate('globalThis.crossOriginIsolated')).toBe(isolated);
      const losses = (await page.evaluate('globalThis.losses')) as number[];
      expect(losses).toHaveLength(20);
      losses.forEach((loss, i) => {
        expect(Math.abs(loss - expected[i])).toBeLessThanOrEqual(1e-4);
      });
      expect(expected[19]).toBeLessThan(expected[0]);
      expect(problems).toEqual([]);
    } finally {
      await page.close();
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    }
  });
});
