/**
 * `npm run storm -- --minutes 10 --seed N [--agents 4] [--writers 3] [--database tds|sqlite|mssql] [--keep]
 * [--part everything|'lost logs'] [--sabotage NAME]`; mssql is the server that HOSTSPOOL_TEST_MSSQL names. With --build,
 * which npm adds, build/hostspool is made first.
 *
 * Exit code 0: nothing was found. 1: something was. The directory with logs, spools and databases is kept then, and
 * with --keep always. 2: an argument is wrong. 130: ended by a second Ctrl-C, without an audit.
 */
import '../../scripts/sql-as-text.ts';
import { buildHere } from '../../scripts/build.ts';
import { whyNoBroker } from '../support/broker-jars.ts';
import { orRefuse, refuse } from '../support/command-line.ts';
import { inEvidenceDirectory } from '../support/evidence-directory.ts';
import { commandOf, stormArguments } from './arguments.ts';
import { reportLines } from './report.ts';
import { SABOTAGES, type Sabotage } from './sabotage.ts';
import { SABOTAGED_BUILDS, type SabotagedBuild, type SabotagedBuildName } from './sabotaged-builds.ts';
import { buildVariant, OTHER_VERSION } from './variants.ts';

const given = orRefuse('storm', () => stormArguments(process.argv.slice(2)));
const { minutes, shape, database, part, sabotage, keep } = given;
// Only now, when `.sql` files can be imported.
const { openDatabaseOf, whyNoDatabase } = await import('./databases/index.ts');
const why = whyNoDatabase(database) ?? whyNoBroker();
const openDatabase = openDatabaseOf(database);
if (why !== undefined || openDatabase === undefined) refuse('storm', why ?? `no database ${database}`);

if (given.build) await buildHere();
const { runStorm } = await import('./storm.ts');
const say = (line: string) => process.stdout.write(`${line}\n`);
const again = commandOf(given);
say(`storm of ${minutes} minutes, seed ${shape.seed}: ${again}`);
// A build without a protection is not replaced by one that has it.
const build: SabotagedBuild | undefined = SABOTAGED_BUILDS[sabotage as SabotagedBuildName];
const made =
  build === undefined
    ? { otherVersion: await buildVariant('other', { version: OTHER_VERSION }) }
    : { executable: await buildVariant(`${sabotage}`, { edits: build.edits }) };
const alteration = SABOTAGES[sabotage as Sabotage];
const place = { name: `storm-${shape.seed}`, keep, verdict: 'audit', say };
const findings = await inEvidenceDirectory(place, async (directory, stop) => {
  const report = await runStorm({
    ...shape,
    durationMs: minutes * 60_000,
    directory,
    openDatabase,
    part,
    say,
    stop,
    ...made,
    ...(alteration === undefined ? {} : { sabotage: alteration }),
  });
  for (const line of reportLines(report)) say(line);
  return report.findings.length;
});
if (findings > 0) say(`again      ${again}`);
process.exitCode = findings === 0 ? 0 : 1;
