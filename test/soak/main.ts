/**
 * `npm run soak -- --minutes 60 [--database tds|sqlite|mssql] [--keep]`; mssql is the server that HOSTSPOOL_TEST_MSSQL
 * names.
 *
 * Exit code 0: nothing was found. 1: something was. The directory with logs and spools is kept then, and with --keep
 * always.
 */
import '../../scripts/sql-as-text.ts';
import { parseArgs } from 'node:util';
import { inEvidenceDirectory } from '../support/evidence-directory.ts';

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

const say = (line: string) => process.stdout.write(`${line}\n`);
const place = { name: 'soak', keep: values.keep, verdict: 'judgement', say };
const findings = await inEvidenceDirectory(place, async (directory, stop) => {
  const found = await runSoak({ durationMs: minutes * 60_000, directory, openDatabase, say, stop });
  for (const finding of found) say(`FOUND      ${finding}`);
  return found.length;
});
say(`${findings} findings`);
process.exitCode = findings === 0 ? 0 : 1;
