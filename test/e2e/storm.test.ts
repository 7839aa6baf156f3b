/**
 * The short form of `npm run storm`: under a minute of faults, by a seed drawn anew each time. STORM_SEED repeats one,
 * STORM_SECONDS and STORM_DATABASE (tds, sqlite or mssql) change it; the long form is in test/storm/main.ts.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDatabaseOf } from '../storm/databases/index.ts';
import { reportLines } from '../storm/report.ts';
import { runStorm } from '../storm/storm.ts';
import { testBroker } from '../support/broker-client.ts';
import { Guard } from '../support/guard.ts';

const { missing } = testBroker();
const seed = Number(process.env.STORM_SEED ?? Math.floor(Math.random() * 1_000_000));
const seconds = Number(process.env.STORM_SECONDS ?? 45);
const database = process.env.STORM_DATABASE ?? 'tds';
// Every fifth seed is one for logs that lose messages.
const part = seed % 5 === 0 ? 'lost logs' : 'everything';
const again = `STORM_SEED=${seed} STORM_SECONDS=${seconds} STORM_DATABASE=${database} npm test -- test/e2e/storm.test.ts`;

describe.skipIf(missing !== undefined)(
  `a storm of faults${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    it(
      `costs no sample that is not on record, and doubles none (seed ${seed})`,
      async () => {
        process.stderr.write(`storm: ${again}\n`);
        const build = join(import.meta.dirname, '../../build');
        mkdirSync(build, { recursive: true });
        const directory = mkdtempSync(join(build, `storm-${seed}-`));
        // Nothing of a test that was stopped stays.
        using _guard = Guard.removing(directory);
        const openDatabase = openDatabaseOf(database);
        if (openDatabase === undefined) throw new Error(`no storm is known against ${database}`);
        const happened: string[] = [];
        const report = await runStorm({
          seed,
          agents: 4,
          writers: 3,
          durationMs: seconds * 1000,
          directory,
          openDatabase,
          part,
          say: (line) => happened.push(line),
        });
        const lines = reportLines(report);
        if (report.findings.length > 0) {
          process.stderr.write(`${[...happened, ...lines, `kept ${directory}`, `again: ${again}`].join('\n')}\n`);
        } else {
          rmSync(directory, { recursive: true, force: true });
        }
        expect(report.findings).toEqual([]);
        expect(report.samples.taken).toBeGreaterThan(seconds);
        expect(report.samples.rows).toBeGreaterThan(seconds);
      },
      seconds * 1000 + 300_000,
    );
  },
);
