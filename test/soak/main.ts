/**
 * `npm run soak -- --minutes 60 [--database tds|sqlite|mssql] [--keep]`; mssql is the server that HOSTSPOOL_TEST_MSSQL
 * names. With --build, which npm adds, build/hostspool is made first.
 *
 * Exit code 0: nothing was found. 1: something was. The directory with logs and spools is kept then, and with --keep
 * always. 2: an argument is wrong. 130: ended by a second Ctrl-C, without a judgement.
 */
import '../../scripts/sql-as-text.ts';
import { buildHere } from '../../scripts/build.ts';
import { DATABASES } from '../storm/database.ts';
import { whyNoBroker } from '../support/broker-jars.ts';
import { duration, oneOf, orRefuse, readArguments, refuse } from '../support/command-line.ts';
import { inEvidenceDirectory } from '../support/evidence-directory.ts';

/** More are not longer than a timer of Node's can be. */
const MOST_MINUTES = 10_000;

const { minutes, database, keep, build } = orRefuse('soak', () => {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = readArguments({
    options: {
      minutes: { ...text, default: '60' },
      database: { ...text, default: 'tds' },
      keep: flag,
      build: flag,
    },
  });
  return {
    minutes: duration('minutes', values.minutes, MOST_MINUTES),
    database: oneOf('database', values.database, DATABASES),
    keep: values.keep,
    build: values.build,
  };
});
// Only now, when `.sql` files can be imported.
const { openDatabaseOf, whyNoDatabase } = await import('../storm/databases/index.ts');
const why = whyNoDatabase(database) ?? whyNoBroker();
const openDatabase = openDatabaseOf(database);
if (why !== undefined || openDatabase === undefined) refuse('soak', why ?? `no database ${database}`);

if (build) await buildHere();
const { runSoak } = await import('./soak.ts');
const say = (line: string) => process.stdout.write(`${line}\n`);
const place = { name: 'soak', keep, verdict: 'judgement', say };
const findings = await inEvidenceDirectory(place, async (directory, stop) => {
  const found = await runSoak({ durationMs: minutes * 60_000, directory, openDatabase, say, stop });
  for (const finding of found) say(`FOUND      ${finding}`);
  return found.length;
});
say(`${findings} findings`);
process.exitCode = findings === 0 ? 0 : 1;
