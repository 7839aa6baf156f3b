/**
 * Five projects. `unit` runs in parallel and needs nothing. `integration` (against a real broker) and `e2e` (against
 * build/hostspool) run in series: the machine is small, and there is one broker.
 * `sqlserver` is the acceptance suite, which says that it is skipped where no server is named. `systemd` boots a machine
 * to install the package in; it is there for `npm run test:systemd` alone, which builds first.
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

const systemd = {
  extends: true as const,
  test: {
    name: 'systemd',
    include: ['test/systemd/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 240_000,
    // After all others: it boots a machine and measures a watchdog.
    sequence: { groupOrder: 1 },
  },
};

export default defineConfig({
  plugins: [sqlAsText],
  test: {
    // A condition that is waited for comes when the machine gets to it; only one that never comes should take so long.
    expect: { poll: { timeout: 60_000 } },
    projects: [
      ...(process.env.HOSTSPOOL_TEST_SYSTEMD === undefined ? [] : [systemd]),
      {
        extends: true,
        // Two at a time: on two cores one would be the default, and a third of the time is waiting for the disk.
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
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
