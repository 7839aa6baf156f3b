/**
 * `npm test`: the layering check, types, lint, the build, then every test, and one closing line
 * `N passed, N failed, N skipped`. Arguments go to vitest (`npm test -- test/unit/spool`). `--checks-only` (`npm run
 * lint`) leaves out the build and the tests.
 *
 * Each check counts as a test, so a failing one shows in the closing line; the others still run.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findSecrets, findSecretsBelow, KNOWN_SECRETS, MARKER } from '../test/support/secrets.ts';
import { checkLayers } from './check-layers.ts';

const root = join(import.meta.dirname, '..');
const results = join(root, 'build', 'test-results.json');
/** What the executables that tests start write to their outputs. */
const output = join(root, 'build', 'test-output');
const count = { passed: 0, failed: 0, skipped: 0 };

function check(name: string, run: () => boolean): void {
  const ok = run();
  count[ok ? 'passed' : 'failed']++;
  process.stderr.write(`${ok ? 'ok' : 'FAILED'}: ${name}\n`);
}

function command(program: string, ...args: string[]): boolean {
  const env = { ...process.env, HOSTSPOOL_TEST_OUTPUT: output };
  const path = join(root, 'node_modules', program);
  return spawnSync(path, args, { cwd: root, stdio: ['ignore', 2, 2], env }).status === 0;
}

interface VitestResults {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  success: boolean;
  testResults: { name: string; status: string; message?: string; assertionResults: unknown[] }[];
}

function runTests(args: string[]): void {
  rmSync(results, { force: true });
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  const ok = command(
    '.bin/vitest',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${results}`,
    ...args,
  );
  try {
    const report = JSON.parse(readFileSync(results, 'utf8')) as VitestResults;
    count.passed += report.numPassedTests;
    count.failed += report.numFailedTests;
    count.skipped += report.numPendingTests + report.numTodoTests;
    // A file that could not be loaded, or an error outside a test, has no failed test of its own.
    if (!ok && report.numFailedTests === 0) count.failed++;
  } catch {
    count.failed++;
  }
}

check('rooms import only what they may', () => {
  const problems = checkLayers(root);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  return problems.length === 0;
});
check('types', () => command('.bin/tsc', '-p', '.'));
check('lint', () => command('@biomejs/cli-linux-x64/biome', 'check'));
if (!process.argv.includes('--checks-only')) {
  check('build', () => command('.bin/node', 'scripts/build.ts'));
  runTests(process.argv.slice(2));
  check('no secret of the tests in what executables wrote, nor in the report', () => {
    const secrets = new Map([...KNOWN_SECRETS, MARKER].map((secret) => [JSON.stringify(secret), secret]));
    const report = existsSync(results) ? findSecrets(results, readFileSync(results), secrets) : [];
    const found = [...findSecretsBelow(output, secrets), ...report];
    for (const line of found) process.stderr.write(`${line}\n`);
    return found.length === 0;
  });
}

process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
process.exitCode = count.failed === 0 ? 0 : 1;
