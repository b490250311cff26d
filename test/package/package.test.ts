/** @file The packed package as its users meet it: installed from the tarball, imported, type-checked, started. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
/** The outer test run's own settings are no business of the consumer's. */
const env = { PATH: process.env.PATH, HOME: process.env.HOME };

const script = `
import { compile, F, nn, optim, tensor } from 'gradus';
import { TensorDataset } from 'gradus/data';
import { readCsv } from 'gradus/data/node';
import { lineChart } from 'gradus/plot';
for (const thing of [TensorDataset, readCsv, lineChart]) if (typeof thing !== 'function') throw new Error('not exported');
const model = new nn.Sequential(new nn.Linear(2, 8), new nn.ReLU(), new nn.Linear(8, 2));
const optimizer = optim.adamw({ lr: 0.05 })(model.parameters());
const step = compile(async (x, y) => {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(model.forward(x), y);
  loss.backward();
  await optimizer.step();
  return loss;
});
const x = tensor([[0, 1], [1, 0], [1, 1], [0, 0]]);
const y = tensor([1, 1, 0, 0], { dtype: 'int64' });
const losses = [];
for (let i = 0; i < 3; i++) losses.push(await (await step(x, y)).item());
console.log(JSON.stringify(losses));
`;

const typed = `
import { type Tensor, nn, tensor } from 'gradus';
import { TensorDataset } from 'gradus/data';
import { readCsv } from 'gradus/data/node';
import { lineChart } from 'gradus/plot';
const layer = new nn.Linear(2, 3);
const y: Tensor = layer.forward(tensor([[1, 2]]));
const data: Promise<Float32Array | unknown> = y.data();
// @ts-expect-error a string is no size
new nn.Linear('2', 3);
export { data, lineChart, readCsv, TensorDataset };
`;

describe('the packed package', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gradus-package-'));
    // Built and packed beside the repository: other tests run the repository's own build at the same time.
    const stage = join(folder, 'stage');
    await mkdir(stage);
    for (const name of ['package.json', 'bin', 'LICENSE', 'README.md', 'README.zh-CN.md'])
      if (existsSync(join(root, name))) await cp(join(root, name), join(stage, name), { recursive: true });
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    await run('node', [tsc, '-p', 'tsconfig.build.json', '--outDir', join(stage, 'dist')], { cwd: root });
    const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
    const { stdout } = await run('npm', pack, { cwd: stage });
    const [{ filename }] = JSON.parse(stdout) as { filename: string }[];
    await run('tar', ['-xzf', filename], { cwd: folder });
    const modules = join(folder, 'node_modules');
    await mkdir(modules);
    await rename(join(folder, 'package'), join(modules, 'gradus'));
    // What npm would install beside it is already there.
    // A consumer need not have the types of Node.
    for (const name of await readdir(join(root, 'node_modules')))
      if (name !== 'gradus' && name !== '@types' && !name.startsWith('.'))
        await symlink(join(root, 'node_modules', name), join(modules, name));
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', type: 'module' }));
  }, 120_000);
  afterAll(async () => await rm(folder, { recursive: true, force: true }));

  it('holds what runs and nothing else', async () => {
    const found = await readdir(join(folder, 'node_modules/gradus'), { recursive: true });
    expect(found).toContain('dist/index.js');
    expect(found).toContain('dist/index.d.ts');
    expect(found).toContain('LICENSE');
    expect(found.filter((file) => /\.test\.|^src\/|^test\/|golden|\.env/.test(file))).toEqual([]);
  });

  it('trains in an ESM script, with nothing on stderr', async () => {
    await writeFile(join(folder, 'train.js'), script);
    const { stdout, stderr } = await run('node', ['train.js'], { cwd: folder, env });
    expect(stderr).toBe('');
    const losses = JSON.parse(stdout) as number[];
    expect(losses).toHaveLength(3);
    expect(losses[2]).toBeLessThan(losses[0]);
  });

  it.each(['nodenext', 'bundler'])('type-checks under moduleResolution %s', async (resolution) => {
    await writeFile(join(folder, 'typed.ts'), typed);
    const options = {
      module: resolution === 'bundler' ? 'esnext' : 'nodenext',
      moduleResolution: resolution,
      target: 'es2023',
      lib: ['es2023', 'dom'],
      types: [],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      preserveSymlinks: true,
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['typed.ts'] }));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = await run('node', [tsc, '-p', '.'], { cwd: folder, env }).catch(
      (error) => error as { stdout: string },
    );
    expect(stdout).toBe('');
  });

  it('starts as a command', async () => {
    const bin = join(folder, 'node_modules/gradus/bin/gradus.js');
    const { stdout, stderr } = await run('node', [bin, '--help'], { cwd: dirname(bin), env });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/Usage: gradus/);
    expect(stdout).toMatch(/train/);
  });
});
