import { randomUUID } from 'node:crypto';
import { describe, expect, inject, it } from 'vitest';
import { createTopic } from '../support/broker.ts';
import { readTopic } from '../support/broker-client.ts';
import { RunningExecutable, runExecutable, Scratch, until } from '../support/executable.ts';
import { TcpProxy } from '../support/proxy.ts';
import { runsOf, upTo } from '../support/seen-runs.ts';

const broker = inject('broker');

function status(scratch: Scratch) {
  const { code, stdout } = runExecutable([
    '--status',
    '--json',
    '--config=/dev/null',
    `--spool.path=${scratch.file('spool.db')}`,
  ]);
  return { code, ...(JSON.parse(stdout) as Status) };
}

interface Status {
  severity: string;
  spool: { depth: number; runs: { run_id: string; samples: number; first_seq: number; last_seq: number }[] };
  agent: { pid: number | null; running: boolean; run_id: string | null; last_seq: number };
  shipping: { state: string; failures: number; last_error: string | null; shipped_total: number };
  losses: { reason: string; samples: number }[];
}

describe.skipIf(!broker.available)(
  `an agent and an outage of Kafka${broker.available ? '' : ` (skipped: ${broker.reason})`}`,
  () => {
    if (!broker.available) return;

    it('delivers every sample of both runs when it is killed in the middle of an outage and restarted', async () => {
      using scratch = new Scratch();
      const topic = `outage-${randomUUID()}`;
      await createTopic(broker.bootstrap, topic, { partitions: 3 });
      const start = () =>
        new RunningExecutable([
          '--config=/dev/null',
          `--kafka.brokers=${broker.proxied}`,
          `--kafka.topic=${topic}`,
          '--collect.interval=100ms',
          // Otherwise some fifty samples wait for the next request at nearly any moment.
          '--backoff.base=100ms',
          '--backoff.cap=500ms',
          '--http.address=',
          '--log.level=debug',
          `--spool.path=${scratch.file('spool.db')}`,
        ]);

      await using first = start();
      await until(() => first.taken().length >= 30, 'thirty samples were taken');
      const during = status(scratch);
      expect(during).toMatchObject({
        code: 1,
        severity: 'warning',
        agent: { running: true, pid: first.pid },
        shipping: { state: 'backing_off' },
      });
      expect(during.shipping.failures).toBeGreaterThan(0);
      expect(during.spool.depth).toBeGreaterThanOrEqual(29);
      await first.end('SIGKILL');
      const dead = status(scratch);
      expect(dead.agent.running).toBe(false);
      expect(dead.spool.runs).toEqual([
        { run_id: first.taken()[0]?.run_id, samples: dead.spool.depth, first_seq: 1, last_seq: dead.spool.depth },
      ]);

      await using second = start();
      await until(() => second.taken().length >= 20, 'twenty samples were taken by the second run');
      expect(status(scratch).spool.runs).toHaveLength(2);

      await using _proxy = await TcpProxy.listen({
        target: broker.proxyTarget,
        port: Number(broker.proxied.split(':')[1]),
      });
      await until(() => status(scratch).shipping.shipped_total > dead.spool.depth, 'the backlog was drained');
      expect(await second.end('SIGTERM')).toBe(0);

      const stopped = status(scratch);
      expect(stopped).toMatchObject({ spool: { depth: 0 }, agent: { running: false }, shipping: { state: 'stopped' } });
      const runs = runsOf(await readTopic(broker.bootstrap, topic));
      expect(runs.map(({ runId }) => runId)).toEqual([first.taken()[0]?.run_id, second.taken()[0]?.run_id]);
      // The first run's last sample may have died between its number and its append; then a note says so.
      const lost = stopped.losses.reduce((sum, { samples }) => sum + samples, 0);
      expect(runs[0]?.firstSeqs).toEqual(upTo(dead.spool.depth));
      expect(first.taken().length - dead.spool.depth).toBeLessThanOrEqual(lost);
      expect(runs[1]?.firstSeqs).toEqual(upTo(second.taken().length));
    });

    it('lets the note of a run that ended ride on the next sample', async () => {
      using scratch = new Scratch();
      const topic = `notes-${randomUUID()}`;
      await createTopic(broker.bootstrap, topic);
      const args = [
        '--config=/dev/null',
        `--kafka.brokers=${broker.bootstrap}`,
        `--kafka.topic=${topic}`,
        '--collect.interval=100ms',
        '--http.address=',
        '--log.level=debug',
        `--spool.path=${scratch.file('spool.db')}`,
      ];
      await using first = new RunningExecutable(args);
      await until(() => first.taken().length >= 3, 'three samples were taken');
      expect(await first.end('SIGTERM')).toBe(0);
      await using second = new RunningExecutable(args);
      await until(() => second.taken().length >= 3, 'three samples were taken');
      await second.end('SIGTERM');
      const notes = (await readTopic(broker.bootstrap, topic)).flatMap(
        ({ value }) => (JSON.parse(value) as { notes?: unknown[] }).notes ?? [],
      );
      expect(notes).toEqual([
        { kind: 'run_ended', run_id: first.taken()[0]?.run_id, last_seq: first.taken().length, clean: true },
      ]);
    });

    it('drains a spool by hand, refuses while an agent runs, and keeps the identities of another host', async () => {
      using scratch = new Scratch();
      const topic = `drain-${randomUUID()}`;
      await createTopic(broker.bootstrap, topic);
      const kafka = ['--config=/dev/null', `--kafka.brokers=${broker.bootstrap}`, `--kafka.topic=${topic}`];
      await using agent = new RunningExecutable([
        '--config=/dev/null',
        '--kafka.brokers=127.0.0.1:1',
        '--collect.interval=100ms',
        '--collect.hostname=dead-host',
        '--http.address=',
        '--log.level=debug',
        `--spool.path=${scratch.file('spool.db')}`,
      ]);
      await until(() => agent.taken().length >= 10, 'ten samples were taken');
      const refused = runExecutable(['drain', `--spool=${scratch.file('spool.db')}`, ...kafka]);
      expect(refused.code).toBe(3);
      expect(refused.stderr).toContain('SPOOL_LOCKED');
      expect(await agent.end('SIGTERM')).toBe(0);

      const drained = runExecutable(['drain', `--spool=${scratch.file('spool.db')}`, ...kafka]);
      expect(drained.stderr).toBe('');
      expect(drained.code).toBe(0);
      const messages = await readTopic(broker.bootstrap, topic);
      expect(messages.map(({ key }) => key)).toEqual(agent.taken().map(() => 'dead-host'));
      expect(runsOf(messages)).toEqual([{ runId: agent.taken()[0]?.run_id, firstSeqs: upTo(agent.taken().length) }]);
      expect(runExecutable(['drain', '--spool=/nonexistent/spool.db', ...kafka]).code).toBe(3);
    });

    it('takes over what can change live at SIGHUP, and says what needs a restart', async () => {
      using scratch = new Scratch();
      const { writeFileSync } = await import('node:fs');
      const file = scratch.file('hostspool.yaml');
      const write = (interval: string, topic: string) =>
        writeFileSync(
          file,
          `kafka: { brokers: "${broker.bootstrap}", topic: ${topic} }\ncollect: { interval: ${interval} }\nspool: { path: ${scratch.file('spool.db')} }\nlog: { level: debug }\nhttp: { address: "" }\n`,
        );
      write('1h', 'live-a');
      await using agent = new RunningExecutable([`--config=${file}`]);
      await agent.event('agent_started');
      write('100ms', 'live-b');
      agent.signal('SIGHUP');
      expect(await agent.event('settings_reloaded')).toMatchObject({
        changed: ['collect.interval', 'collect.timeout'],
      });
      expect(await agent.event('restart_needed')).toMatchObject({ settings: ['kafka.topic'] });
      await until(() => agent.taken().length >= 3, 'samples came at the new interval');
      writeFileSync(file, 'collect: { interval: fast }\n');
      agent.signal('SIGHUP');
      expect(await agent.event('reload_failed')).toMatchObject({ level: 'error' });
      const before = agent.taken().length;
      await until(() => agent.taken().length > before, 'it goes on as it was');
      expect(await agent.end('SIGTERM')).toBe(0);
    });
  },
);
