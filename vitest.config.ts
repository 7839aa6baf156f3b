/**
 * Four projects. `unit` runs in parallel and needs nothing. `integration` (against a real broker) and `e2e` (against
 * build/hostspool) run in series: the machine is small, and there is one broker.
 * `sqlserver` is the acceptance suite, which says that it is skipped where no server is named.
 */
import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const sqlAsText = {
  name: 'sql-as-text',
  enforce: 'pre' as const,
  load(id: string) {
    return id.endsWith('.sql') ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))}` : undefined;
  },
};

export default defineConfig({
  plugins: [sqlAsText],
  test: {
    // A condition that is waited for comes when the machine gets to it; only one that never comes should take so long.
    expect: { poll: { timeout: 60_000 } },
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 60_000 } },
      {
        extends: true,
        test: {
          name: 'servers',
          include: ['test/integration/**/*.test.ts', 'test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'sqlserver',
          include: ['test/sqlserver/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
