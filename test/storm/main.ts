/**
 * `npm run storm -- --minutes 10 --seed N [--agents 4] [--writers 3] [--database tds|sqlite|mssql] [--keep]
 * [--sabotage NAME]`; mssql is the server that HOSTSPOOL_TEST_MSSQL names.
 *
 * Exit code 0: nothing was found. 1: something was. The directory with logs, spools and databases is kept then, and
 * with --keep always.
 */
import '../../scripts/sql-as-text.ts';
import { parseArgs } from 'node:util';
import { inEvidenceDirectory } from '../support/evidence-directory.ts';
import { reportLines } from './report.ts';
import { SABOTAGES, type Sabotage } from './sabotage.ts';
import { SABOTAGED_BUILDS, type SabotagedBuild, type SabotagedBuildName } from './sabotaged-builds.ts';
import { runStorm, type StormPart } from './storm.ts';
import { buildVariant, OTHER_VERSION } from './variants.ts';

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    minutes: { ...text, default: '10' },
    seed: { ...text, default: String(Math.floor(Math.random() * 1_000_000)) },
    agents: { ...text, default: '4' },
    writers: { ...text, default: '3' },
    database: text,
    part: { ...text, default: 'everything' },
    sabotage: text,
    keep: { type: 'boolean', default: false },
  },
});
// Only now, when `.sql` files can be imported.
const { openDatabaseOf } = await import('./databases/index.ts');
const minutes = Number(values.minutes);
const shape = { seed: Number(values.seed), agents: Number(values.agents), writers: Number(values.writers) };
const isPart = (name: string): name is StormPart => name === 'everything' || name === 'lost logs';
const names = [...Object.keys(SABOTAGED_BUILDS), ...Object.keys(SABOTAGES)];
const build: SabotagedBuild | undefined = SABOTAGED_BUILDS[values.sabotage as SabotagedBuildName];
const database = values.database ?? build?.database ?? 'tds';
const openDatabase = openDatabaseOf(database);
const isCount = (count: number) => Number.isInteger(count) && count >= 1 && count <= 20;

if (
  !(minutes > 0) ||
  !Number.isInteger(shape.seed) ||
  !isCount(shape.agents) ||
  !isCount(shape.writers) ||
  openDatabase === undefined ||
  !isPart(values.part) ||
  (values.sabotage !== undefined && !names.includes(values.sabotage))
) {
  process.stderr.write(
    'usage: npm run storm -- [--minutes N] [--seed N] [--agents 1–20] [--writers 1–20] [--database tds|sqlite|mssql] [--keep]\n' +
      "         [--part everything|'lost logs']\n" +
      `         [--sabotage ${names.join('|')}]\n`,
  );
  process.exit(2);
}

const again = `npm run storm -- --minutes ${minutes} --seed ${shape.seed} --agents ${shape.agents} --writers ${shape.writers} --database ${database} --part '${values.part}'${values.sabotage === undefined ? '' : ` --sabotage ${values.sabotage}`}`;
const say = (line: string) => process.stdout.write(`${line}\n`);

say(`storm of ${minutes} minutes, seed ${shape.seed}: ${again}`);
// A build without a protection is not replaced by one that has it.
const made =
  build === undefined
    ? { otherVersion: await buildVariant('other', { version: OTHER_VERSION }) }
    : { executable: await buildVariant(`${values.sabotage}`, { edits: build.edits }) };
const alteration = SABOTAGES[values.sabotage as Sabotage];
const { part, keep } = values;
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
