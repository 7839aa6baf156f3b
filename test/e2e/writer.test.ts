import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { describe, expect, inject, it } from 'vitest';
import { createTopic } from '../support/broker.ts';
import { RunningExecutable, Scratch, until } from '../support/executable.ts';
import { query, rowsIn, runsOf, sampleOf, send, sumsIn } from '../support/local-writer.ts';
import { TdsProcess } from '../support/tds/process.ts';

const broker = inject('broker');

function agent(bootstrap: string, topic: string, scratch: Scratch, name: string): RunningExecutable {
  return new RunningExecutable([
    '--config=/dev/null',
    `--kafka.brokers=${bootstrap}`,
    `--kafka.topic=${topic}`,
    '--collect.interval=100ms',
    `--collect.hostname=${name}`,
    '--http.address=',
    '--log.level=debug',
    `--spool.path=${scratch.file(`${name}.db`)}`,
  ]);
}

function writer(bootstrap: string, topic: string, more: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return new RunningExecutable(
    [
      '--mode=writer',
      `--kafka.brokers=${bootstrap}`,
      `--kafka.topic=${topic}`,
      '--kafka.session_timeout=2s',
      '--writer.batch_timeout=200ms',
      '--backoff.base=100ms',
      '--backoff.cap=1s',
      '--http.address=',
      ...(more.some((flag) => flag.startsWith('--config=')) ? more : ['--config=/dev/null', ...more]),
    ],
    env,
  );
}

describe.skipIf(!broker.available)(
  `the writer’s executable${broker.available ? '' : ` (skipped: ${broker.reason})`}`,
  () => {
    if (!broker.available) return;

    it('brings what agents take into SQLite once, through kills of both', async () => {
      using scratch = new Scratch();
      const topic = `e2e-${randomUUID()}`;
      await createTopic(broker.bootstrap, topic, { partitions: 3 });
      const sink = ['--writer.sink=sqlite', `--sqlite.path=${scratch.file('metrics.db')}`];
      const taken = new Set<string>();
      const note = (running: RunningExecutable) => {
        for (const { event_id } of running.taken()) taken.add(String(event_id).replaceAll('-', ''));
      };
      for (const ending of ['SIGKILL', 'SIGTERM'] as const) {
        await using a = agent(broker.bootstrap, topic, scratch, 'web-1');
        await using b = agent(broker.bootstrap, topic, scratch, 'web-2');
        await using killed = writer(broker.bootstrap, topic, sink);
        await until(() => rowsIn(scratch) > taken.size + 10, 'rows arrive');
        await killed.end('SIGKILL');
        await until(() => a.taken().length >= 30 && b.taken().length >= 30, 'both have taken samples');
        await a.end(ending);
        await b.end(ending);
        note(a);
        note(b);
      }
      // A last run of each, so that the ends of the runs before are heard of.
      await using a = agent(broker.bootstrap, topic, scratch, 'web-1');
      await using b = agent(broker.bootstrap, topic, scratch, 'web-2');
      await until(() => a.taken().length >= 5 && b.taken().length >= 5, 'both have taken samples');
      await a.end('SIGTERM');
      await b.end('SIGTERM');
      note(a);
      note(b);
      await using last = writer(broker.bootstrap, topic, sink);
      const inTable = () =>
        query<{ id: string }>(scratch, 'SELECT lower(hex(event_id)) AS id FROM server_metrics').map(({ id }) => id);
      // A kill may fall between a sample's log line and its append: that one is on record as lost instead.
      await until(() => {
        const rows = new Set(inTable());
        return [...taken].filter((id) => !rows.has(id)).length <= (sumsIn(scratch)?.lost ?? 0);
      }, 'all that was taken is a row or on record');
      const rows = inTable();
      expect(new Set(rows).size).toBe(rows.length);
      expect(rows.every((id) => taken.has(id))).toBe(true);
      expect(sumsIn(scratch)).toMatchObject({ received: rows.length, missing: 0 });
      expect(await last.end('SIGTERM')).toBe(0);
      const stats = last.lines.filter(({ event }) => event === 'stats').at(-1);
      expect(stats).toMatchObject({ dead_letters: 0, errors: 0 });
      expect(last.lines.map(({ event }) => event)).toContain('writer_stopped');
    });

    it('brings them into SQL Server, as far as its protocol goes, through lost connections', async () => {
      using scratch = new Scratch();
      const topic = `e2e-${randomUUID()}`;
      await createTopic(broker.bootstrap, topic, { partitions: 2 });
      await using database = await TdsProcess.start({ directory: scratch.file('tds') });
      const runs = runsOf(10);
      const messages = (first: number) =>
        runs.flatMap((run) =>
          Array.from({ length: 20 }, (_, n) => ({
            key: run.hostname,
            value: JSON.stringify(sampleOf(run, first + n)),
          })),
        );
      await send(broker.bootstrap, topic, messages(1));
      const flags = [
        '--sqlserver.host=127.0.0.1',
        `--sqlserver.port=${database.port}`,
        '--sqlserver.user=hostspool',
        '--sqlserver.encrypt=false',
      ];
      await using running = writer(broker.bootstrap, topic, flags, { HOSTSPOOL_SQLSERVER_PASSWORD: 'secret' });
      // The writer makes the tables.
      const received = () =>
        database
          .totals()
          .then(({ received }) => received)
          .catch(() => 0);
      await until(async () => (await received()) === 200, 'the first are there');
      await database.kill();
      await send(broker.bootstrap, topic, messages(21));
      await running.line(({ event }) => event === 'load_failed');
      await database.restart();
      await until(async () => (await received()) === 400, 'all are there');
      expect(await database.totals()).toMatchObject({ missing: 0, lost: 0 });
      expect((await database.table('server_metrics')).length).toBe(400);
      expect(await running.end('SIGTERM')).toBe(0);
      expect(JSON.stringify(running.lines)).not.toContain('secret"');
    });

    it('says in one line what it lacks, and takes new settings at a SIGHUP', async () => {
      using scratch = new Scratch();
      const topic = `e2e-${randomUUID()}`;
      await createTopic(broker.bootstrap, topic);
      const file = scratch.file('hostspool.yaml');
      writeFileSync(file, 'lag: { warn: 1000 }\n');
      const sink = ['--writer.sink=sqlite', `--sqlite.path=${scratch.file('metrics.db')}`, `--config=${file}`];
      await using running = writer(broker.bootstrap, topic, sink);
      await running.event('partitions_assigned');
      writeFileSync(file, 'lag: { warn: 5 }\nwriter: { batch_size: 7 }\n');
      running.signal('SIGHUP');
      expect(await running.event('settings_reloaded')).toMatchObject({ changed: ['lag.warn'] });
      expect(await running.event('restart_needed')).toMatchObject({ settings: ['writer.batch_size'] });
      expect(await running.end('SIGTERM')).toBe(0);

      await using without = writer(broker.bootstrap, topic, []);
      await without.end('SIGCONT');
      expect(without.stderr).toContain('sqlserver.user');
    });
  },
);
