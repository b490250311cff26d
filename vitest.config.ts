import { defineConfig } from 'vitest/config';

export default defineConfig({
  ssr: { resolve: { conditions: ['gradus-source', 'node', 'import', 'default'] } },
  resolve: { conditions: ['gradus-source', 'node', 'import', 'default'] },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'docs/**/*.test.ts', 'recipes/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    execArgv: ['-C', 'gradus-source'],
  },
});
