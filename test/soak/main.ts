/**
 * `npm run soak -- --minutes 60 [--database tds|sqlite|mssql] [--keep]`; mssql is the server that HOSTSPOOL_TEST_MSSQL
 * names.
 *
 * Exit code 0: nothing was found. 1: something was. The directory with logs and spools is kept then, and with --keep
 * always.
 */
import '../../scripts/sql-as-text.ts';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stopSignal } from '../support/two-signals.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    database: { type: 'string', default: 'tds' },
    keep: { type: 'boolean', default: false },
  },
});
// Only now, when `.sql` files can be imported.
const { openDatabaseOf } = await import('../storm/databases/index.ts');
const { runSoak } = await import('./soak.ts');
const minutes = Number(values.minutes);
const openDatabase = openDatabaseOf(values.database);
if (!(minutes > 0) || openDatabase === undefined) {
  process.stderr.write('usage: npm run soak -- [--minutes N] [--database tds|sqlite|mssql] [--keep]\n');
  process.exit(2);
}

const build = join(import.meta.dirname, '../../build');
mkdirSync(build, { recursive: true });
const directory = mkdtempSync(join(build, 'soak-'));
const say = (line: string) => process.stdout.write(`${line}\n`);
// A person who has seen enough still gets the judgement.
const stop = stopSignal();

const findings = await runSoak({ durationMs: minutes * 60_000, directory, openDatabase, say, stop });
for (const finding of findings) say(`FOUND      ${finding}`);
if (findings.length > 0 || values.keep) say(`kept       ${directory}`);
else rmSync(directory, { recursive: true, force: true });
say(`${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
