import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import type { Reporter, TestModule } from 'vitest/node';

/** One plain closing line, easy to find in a log. */
const closingLine: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const count = (state: string) => states.filter((s) => s === state).length;
    process.stdout.write(`\n${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped\n`);
  },
};

/** Debian's Chromium brings SwiftShader, a Vulkan driver in software: WebGPU without a GPU. */
const chromium = '/usr/lib/chromium';
const vulkan = existsSync(`${chromium}/vk_swiftshader_icd.json`)
  ? {
      LD_LIBRARY_PATH: [chromium, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':'),
      VK_ICD_FILENAMES: process.env.VK_ICD_FILENAMES ?? `${chromium}/vk_swiftshader_icd.json`,
    }
  : {};

export default defineConfig({
  ssr: { resolve: { conditions: ['gradus-source', 'node', 'import', 'default'] } },
  resolve: { conditions: ['gradus-source', 'node', 'import', 'default'] },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'docs/**/*.test.ts', 'recipes/**/*.test.ts'],
    pool: 'forks',
    env: vulkan,
    testTimeout: 60_000,
    execArgv: ['-C', 'gradus-source'],
    reporters: ['default', closingLine],
  },
});
