/** Three real brokers, of which one is killed, then another: what an agent takes arrives, once. */
import { expect, inject, it } from 'vitest';
import { BrokerCluster } from '../support/broker-cluster.ts';
import { RunningExecutable, Scratch, until } from '../support/executable.ts';
import { query, rowsIn, sumsIn } from '../support/local-writer.ts';

const broker = inject('broker');
const TOPIC = 'server-metrics';
/** For what waits for brokers to start and to settle, ms. */
const SLOW = 180_000;

function start(bootstrap: string, scratch: Scratch, more: readonly string[]): RunningExecutable {
  return new RunningExecutable([
    '--config=/dev/null',
    `--kafka.brokers=${bootstrap}`,
    '--kafka.request_timeout=3s',
    '--kafka.session_timeout=3s',
    '--backoff.base=100ms',
    '--backoff.cap=500ms',
    '--collect.interval=100ms',
    '--writer.batch_timeout=200ms',
    '--writer.sink=sqlite',
    `--sqlite.path=${scratch.file('metrics.db')}`,
    `--spool.path=${scratch.file('spool.db')}`,
    '--http.address=',
    '--log.level=debug',
    ...more,
  ]);
}

it.skipIf(!broker.available)(
  'a cluster loses the leader, then its quorum, and gets both back: nothing is missing, nothing is there twice',
  async () => {
    using scratch = new Scratch();
    await using cluster = await BrokerCluster.start();
    await cluster.createTopic(TOPIC, { config: { 'min.insync.replicas': '2' } });
    await using agent = start(cluster.bootstrap, scratch, []);
    await using writer = start(cluster.bootstrap, scratch, ['--mode=writer']);
    const more = async (rows: number, what: string) => {
      const before = rowsIn(scratch);
      await until(() => rowsIn(scratch) >= before + rows, what, SLOW);
    };
    await more(10, 'rows arrive');

    const first = await cluster.partitionOf(TOPIC);
    await cluster.kill9(first.leader);
    // While nobody leads there is no answer.
    const now = () => cluster.partitionOf(TOPIC).catch(() => first);
    await until(async () => (await now()).leader !== first.leader, 'another leads', SLOW);
    await more(20, 'rows arrive without the broker that led');

    // The leader stays and has nobody left: what it is sent it takes and can't acknowledge.
    const { leader } = await cluster.partitionOf(TOPIC);
    const follower = cluster.ids.find((id) => id !== leader && id !== first.leader) as number;
    const failed = () => agent.lines.filter(({ event }) => event === 'ship_failed').length;
    const failedBefore = failed();
    await cluster.kill9(follower);
    await until(() => failed() > failedBefore, 'shipping fails', SLOW);
    const { length: taken } = agent.taken();
    await until(() => agent.taken().length >= taken + 10, 'samples are taken all the same');

    await cluster.restart();
    await until(() => rowsIn(scratch) >= agent.taken().length - 10, 'rows arrive again, and the spool is empty', SLOW);
    expect(await agent.end('SIGTERM')).toBe(0);
    expect(await agent.event('agent_stopped')).toMatchObject({ spool_depth: 0 });
    const all = agent.taken().map(({ event_id }) => String(event_id).replaceAll('-', ''));
    await until(() => rowsIn(scratch) >= all.length, 'all are loaded', SLOW);
    expect(await writer.end('SIGTERM')).toBe(0);
    const rows = query<{ id: string }>(scratch, 'SELECT lower(hex(event_id)) AS id FROM server_metrics');
    expect(rows.map(({ id }) => id).toSorted()).toEqual(all.toSorted());
    expect(sumsIn(scratch)).toEqual({ received: all.length, lost: 0, missing: 0 });
  },
  2 * SLOW,
);
