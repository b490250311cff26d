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

export default defineConfig({
  ssr: { resolve: { conditions: ['gradus-source', 'node', 'import', 'default'] } },
  resolve: { conditions: ['gradus-source', 'node', 'import', 'default'] },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'docs/**/*.test.ts', 'recipes/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    execArgv: ['-C', 'gradus-source'],
    reporters: ['default', closingLine],
  },
});
