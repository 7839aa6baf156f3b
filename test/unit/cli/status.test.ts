/** `hostspool status` through yargs: what it prints, and the exit codes that monitoring reads. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import yargs from 'yargs';
import { statusCommand, thresholdsFrom } from '../../../src/cli/status.ts';
import { statusTable } from '../../../src/cli/status-table.ts';
import { silentLog } from '../../../src/lib/log.ts';
import type { StatusReport } from '../../../src/operate/status.ts';
import { DEFAULT_THRESHOLDS } from '../../../src/operate/status-findings.ts';
import { SpoolLock } from '../../../src/spool/lock.ts';
import { systemPorts } from '../../../src/spool/ports.ts';
import { Tail } from '../../../src/spool/tail.ts';
import { captureOutput, type Written } from '../../support/captured-output.ts';
import { FIXTURE_AGENT, runIdOf, SpoolFixture } from '../../support/spool-fixture.ts';

let fixture: SpoolFixture;
let environment: NodeJS.ProcessEnv;
const cleanups: (() => void)[] = [];

beforeEach(() => {
  fixture = SpoolFixture.make();
  environment = process.env;
  process.env = { HOME: fixture.directory };
});

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  process.env = environment;
  process.exitCode = undefined;
  fixture.remove();
});

interface Outcome extends Written {
  readonly code: unknown;
}

async function status(...args: string[]): Promise<Outcome> {
  process.exitCode = undefined;
  try {
    const written = await captureOutput(() =>
      yargs(['status', ...args])
        .command(statusCommand)
        .strict()
        .exitProcess(false)
        .fail((message, error) => {
          throw error ?? new Error(message);
        })
        .parseAsync(),
    );
    return { ...written, code: process.exitCode };
  } finally {
    process.exitCode = undefined;
  }
}

/** An agent that runs, with so many samples that wait since so long. */
function running(samples: number, waiting: number): void {
  const now = Date.now();
  fixture.run({ run: 1, startedAt: now - 60_000 }).state('agent', { ...FIXTURE_AGENT, pid: process.pid });
  fixture.state('shipping', {
    state: 'idle',
    shipped_total: 5,
    last_ack_at: new Date(now - 1000).toISOString(),
    last_error: null,
    failures: 0,
    next_attempt_at: null,
    samples_per_second_out: 1,
  });
  if (samples > 0) fixture.samples({ run: 1, first: 6, last: 5 + samples, takenAt: now - waiting, interval: 10 });
  const lock = SpoolLock.take(fixture.files, systemPorts, silentLog);
  cleanups.push(() => lock.release());
  const tail = Tail.open(fixture.files.tail, 'boot-1', 0o600);
  tail.hold(process.pid);
  tail.close();
}

describe('hostspool status', () => {
  it('prints one JSON object and exits with 0 for an agent in health', async () => {
    running(3, 2000);
    const { out, err, code } = await status('--spool', fixture.path, '--json');
    expect(JSON.parse(out)).toMatchObject({
      severity: 'ok',
      reasons: [],
      spool: { path: fixture.path, depth: 3, runs: [{ run_id: runIdOf(1), samples: 3, first_seq: 6, last_seq: 8 }] },
      agent: { hostname: 'web-01', running: true, pid: process.pid, last_seq: 8 },
      shipping: { state: 'idle', shipped_total: 5 },
      losses: [],
    });
    expect(err).toBe('');
    expect(code).toBe(0);
  });

  it('exits with 1 for a warning and 2 for what is critical, by the thresholds given', async () => {
    running(3, 10_000);
    expect((await status('--spool', fixture.path, '--warn-age=5s')).code).toBe(1);
    expect((await status('--spool', fixture.path, '--warn-age=5s', '--crit-age', '8s')).code).toBe(2);
    expect((await status('--spool', fixture.path, '--warn-fill=0.00001%')).code).toBe(1);
    expect((await status('--spool', fixture.path, '--crit-fill', '0.0000001', '--warn-fill', '0')).code).toBe(2);
    expect((await status('--spool', fixture.path)).code).toBe(0);
  });

  it('exits with 3 where there is no spool, and says so as JSON too', async () => {
    const missing = join(fixture.directory, 'other.db');
    const people = await status('--spool', missing);
    expect(people).toMatchObject({ out: '', code: 3 });
    expect(people.err).toMatch(/^hostspool: there is no spool at .*other\.db \[SPOOL_MISSING\]\n {2}hint: .*\n$/);
    const program = await status('--spool', missing, '--json');
    expect(JSON.parse(program.out)).toMatchObject({ severity: 'unknown', reason_codes: ['SPOOL_MISSING'] });
    expect(program).toMatchObject({ err: '', code: 3 });
  });

  it('exits with 3 on an argument it does not understand, never with the code of an outage', async () => {
    running(0, 0);
    const { err, code } = await status('--spool', fixture.path, '--warn-age=soon');
    expect(err).toContain('--warn-age=soon is not a duration');
    expect(code).toBe(3);
    expect((await status('--spool', fixture.path, '--crit-fill=150%')).code).toBe(3);
    expect((await status('--spool', fixture.path, '--spool', 'other')).code).toBe(3);
  });

  it('finds the spool by the settings, and needs none with --spool', async () => {
    running(1, 1000);
    const settings = join(fixture.directory, 'hostspool.yaml');
    writeFileSync(settings, `spool: { path: ${fixture.path} }\n`);
    expect((await status('--config', settings)).code).toBe(0);
    writeFileSync(settings, 'spool: { paht: nowhere }\n');
    expect(await status('--config', settings)).toMatchObject({ out: '', code: 3 });
    expect((await status('--config', settings, '--spool', fixture.path)).code).toBe(0);
    rmSync(settings);
    expect((await status('--config', settings, '--json')).code).toBe(3);
  });

  it('takes shares and durations as people write them', () => {
    expect(thresholdsFrom({})).toEqual(DEFAULT_THRESHOLDS);
    expect(
      thresholdsFrom({
        'warn-age': '90s',
        'crit-age': '2h',
        'warn-fill': '.25',
        'crit-fill': '75 %',
        'warn-loss': '0',
      }),
    ).toEqual({ warnAge: 90_000, critAge: 7_200_000, warnFill: 0.25, critFill: 0.75, warnLoss: 0 });
    for (const wrong of ['-1', '1.5', '101%', 'half', '']) {
      expect(() => thresholdsFrom({ 'warn-fill': wrong })).toThrow('--warn-fill=');
    }
    expect(() => thresholdsFrom({ 'warn-age': ['1s', '2s'] })).toThrow('--warn-age');
  });
});

describe('the table for people', () => {
  async function report(): Promise<StatusReport> {
    const { out } = await status('--spool', fixture.path, '--json');
    return JSON.parse(out) as StatusReport;
  }

  it('says first how it stands and why', async () => {
    running(3, 10_000);
    const { out } = await status('--spool', fixture.path, '--warn-age=5s');
    const [head, reason, blank, spool] = out.split('\n');
    expect(head).toBe(`WARNING  web-01  ${fixture.path}`);
    expect(reason).toMatch(/^ {2}! the oldest sample has waited 1\d s \(limit 5s\)$/);
    expect(blank).toBe('');
    expect(spool).toMatch(/^Spool {5}3 samples, \d+(\.\d)?KiB of 512MiB \(0 %\)$/);
    expect(out).toContain(`running, pid ${process.pid}, version 1.2.3, a sample every 5 s`);
    expect(out).toContain(`run ${runIdOf(1)}: last sample no. 8`);
    expect(out).toMatch(/Shipping {2}idle\n {10}acknowledged 5, last \d s ago/);
    expect(out).toMatch(/Losses {4}none\n$/);
  });

  it('fits a screen, however much there is', async () => {
    running(1, 1000);
    for (let run = 2; run < 60; run++) fixture.run({ run }).samples({ run, first: 1, last: 2 });
    for (const reason of ['spool_full', 'spool_expired', 'disk_full', 'crash']) fixture.loss(reason, 5, 1, 2);
    const lines = statusTable(await report(), { colours: false }).split('\n');
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(lines.at(-1)?.trim()).toBe('and 54 more');
  });

  it('has colours only where they are asked for, and the same words', async () => {
    running(2, 1000);
    const made = await report();
    const plain = statusTable(made, { colours: false });
    const colourful = statusTable(made, { colours: true });
    expect(plain).toBe(stripVTControlCharacters(plain));
    expect(colourful).not.toBe(plain);
    expect(stripVTControlCharacters(colourful)).toBe(plain);
  });

  it('lets no text of others steer the terminal', async () => {
    running(0, 0);
    const made = await report();
    const hostile = '\x1b[2J\x1b]0;owned\x07\nERROR\r\x9b31m';
    const table = statusTable(
      {
        ...made,
        reasons: [hostile],
        agent: { ...made.agent, hostname: hostile },
        shipping: { ...made.shipping, last_error: hostile },
      },
      { colours: false },
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    expect(table).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
    expect(table.split('\n').filter((line) => line.startsWith('ERROR'))).toEqual([]);
  });
});

describe('docs/status-json.md', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/status-json.md'), 'utf8');

  it('has every field of the report', async () => {
    running(3, 1000);
    fixture.loss('crash', 1, 1, 2);
    const { out } = await status('--spool', fixture.path, '--json');
    const fields = new Set<string>();
    JSON.parse(out, (key, value) => {
      if (key !== '' && Number.isNaN(Number(key))) fields.add(key);
      return value;
    });
    expect(fields.size).toBeGreaterThan(45);
    expect([...fields].filter((field) => !text.includes(`\`${field}\``))).toEqual([]);
  });

  it('has every code of a reason', () => {
    const source = readFileSync(join(import.meta.dirname, '../../../src/operate/status-findings.ts'), 'utf8');
    const codes = [...source.matchAll(/(?:critical|warning)\('([a-z_]+)'/g)].map(([, code]) => code as string);
    expect(codes.length).toBeGreaterThan(10);
    expect(codes.filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
  });

  it('has an example with the fields of a report', async () => {
    running(3, 1000);
    fixture.loss('crash', 1, 1, 2);
    const example = JSON.parse(/```json\n(.*?)\n```/s.exec(text)?.[1] ?? '') as Record<string, unknown>;
    const { out } = await status('--spool', fixture.path, '--json');
    expect(shape(example)).toEqual(shape(JSON.parse(out)));
  });

  /** The keys of an object, at every depth, without its values. */
  function shape(value: unknown): unknown {
    if (Array.isArray(value)) return typeof value[0] === 'object' ? [shape(value[0])] : [];
    if (typeof value !== 'object' || value === null) return undefined;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)]));
  }
});
