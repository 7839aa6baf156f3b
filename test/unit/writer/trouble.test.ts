import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import type { Load } from '../../../src/sink/sink.ts';
import { FakeHost, type Fault, lost, WritingWorld } from './writing.ts';

const refusal = (code = 'SINK_DATA') => new HostspoolError(code, 'the database refused it');

function sent(world: WritingWorld, samples: number, name = 'a'): FakeHost {
  const host = new FakeHost(world, name);
  for (let n = 0; n < samples; n++) host.send();
  return host;
}

describe('a writer whose database is in trouble', () => {
  it('keeps the batch while the database is away, says so after a minute, and goes on by itself', async () => {
    using world = new WritingWorld();
    sent(world, 5);
    const { sink, writer } = world.start();
    await world.untilLoaded();
    sink.away = lost();
    const host = sent(world, 7, 'b');
    await world.clock.advance(30_000);
    expect(writer.health()).toEqual({ healthy: true, reasons: [] });
    await world.clock.advance(3_600_000);
    expect(writer.health()).toMatchObject({ healthy: false });
    expect(writer.health().reasons.join()).toContain('the connection was lost');
    expect(world.rows()).toHaveLength(5);
    sink.away = undefined;
    host.send();
    await world.untilLoaded();
    expect(writer.health()).toEqual({ healthy: true, reasons: [] });
    expect(world.sums()).toEqual({ received: 13, lost: 0, missing: 0 });
  });

  it('asks a database that refuses the login seldom, is unhealthy at once, and recovers', async () => {
    using world = new WritingWorld(1, { 'backoff.base': '100ms', 'backoff.cap': '60s' });
    sent(world, 5);
    const { sink, writer } = world.start();
    await world.untilLoaded();
    sink.away = new HostspoolError('SINK_LOGIN', 'login failed for user hostspool');
    sent(world, 5, 'b');
    await world.clock.advance(10_000);
    expect(writer.health().reasons).toEqual(['SINK_LOGIN: login failed for user hostspool']);
    const refused = world.events('load_failed');
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({ level: 'error' });
    sink.away = undefined;
    await world.untilLoaded();
    expect(writer.health().healthy).toBe(true);
  });

  it('repeats a load at once when it met another writer', async () => {
    using world = new WritingWorld();
    sent(world, 5);
    const { sink } = world.start();
    for (const code of ['SINK_DUPLICATE', 'SINK_DEADLOCK', 'SINK_LOCKED']) {
      sink.faults.push({ at: 'before', error: lost(code) });
    }
    await world.clock.advance(2000 + 3 * 100);
    expect(world.rows()).toHaveLength(5);
  });

  it('reads accounts again that another writer has written', async () => {
    using world = new WritingWorld();
    const host = sent(world, 5);
    const { sink } = world.start();
    await world.untilLoaded();
    world.execute('UPDATE runs SET version = version + 7');
    host.send();
    await world.untilLoaded();
    expect(sink.loads).toBe(3);
    expect(world.sums()).toEqual({ received: 6, lost: 0, missing: 0 });
  });

  it('does not hammer a database where another writer is always first, and says so', async () => {
    using world = new WritingWorld();
    sent(world, 5);
    const { sink, writer } = world.start();
    const runs = ['0196a5b0-0000-7000-8000-000000000001'];
    const stale: Fault = { at: 'instead', does: async () => ({ kind: 'stale', runs }) };
    sink.faults.push(...Array.from({ length: 1000 }, () => stale));
    await world.clock.advance(120_000);
    expect(sink.loads).toBeLessThan(30);
    expect(writer.health().reasons).toMatchObject([expect.stringContaining('another writer')]);
    sink.faults.length = 0;
    await world.untilLoaded();
    expect(world.sums()).toEqual({ received: 5, lost: 0, missing: 0 });
  });

  it('finds the rows that the database refuses, and loads the others', async () => {
    using world = new WritingWorld(1, { 'writer.batch_size': 1000 });
    const host = sent(world, 200);
    const guilty = new Set([7, 8, 120].map((index) => host.taken[index]?.event_id));
    const { sink, writer } = world.start();
    sink.refuses = ({ rows }) =>
      rows.some(({ event_id }) => guilty.has(event_id.replaceAll('-', ''))) ? refusal() : undefined;
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(197);
    expect(world.letters).toHaveLength(3);
    expect(world.letters[0]).toMatchObject({
      headers: {
        'hostspool-code': 'SINK_DATA',
        'hostspool-offset': '7',
        'hostspool-reason': 'the database refused it',
      },
    });
    expect(world.reasons()).toEqual({ dead_letter: 3 });
    expect(sink.rehearsals).toBeLessThan(60);
    expect(writer.health().healthy).toBe(true);
  });

  it('takes it for no matter of the rows when too many are refused, keeps all, and goes on when it is mended', async () => {
    using world = new WritingWorld(1, { 'writer.batch_size': 1000, 'backoff.cap': '10s' });
    sent(world, 200);
    const { sink, writer } = world.start();
    sink.refuses = ({ rows }) => (rows.length > 0 ? refusal() : undefined);
    await world.clock.advance(60_000);
    expect(world.letters).toEqual([]);
    expect(writer.health()).toEqual({ healthy: false, reasons: ['SINK_DATA: the database refused it'] });
    expect(sink.rehearsals).toBeLessThan(60 * sink.loads);
    sink.refuses = undefined;
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(200);
    expect(world.letters).toEqual([]);
  });

  it('does not make dead letters of a trickle that is refused as a whole', async () => {
    using world = new WritingWorld(1, { 'backoff.cap': '1s' });
    const { sink } = world.start();
    sink.refuses = ({ rows }) => (rows.length > 0 ? refusal() : undefined);
    const host = new FakeHost(world, 'a');
    for (let n = 0; n < 30; n++) {
      host.send();
      await world.clock.advance(5000);
    }
    expect(world.letters.length).toBeLessThanOrEqual(10);
    sink.refuses = undefined;
    await world.untilLoaded();
    expect(world.rows().length + world.letters.length).toBe(30);
    expect(world.sums().missing).toBe(0);
  });

  it('is not fooled by a database that refuses even no rows', async () => {
    using world = new WritingWorld(1, { 'backoff.cap': '10s' });
    sent(world, 3);
    const { sink } = world.start();
    sink.refuses = () => refusal();
    await world.clock.advance(60_000);
    expect(world.letters).toEqual([]);
    sink.refuses = undefined;
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(3);
  });

  it('suspects the rows of an error without a name only when it comes again and again', async () => {
    using world = new WritingWorld();
    const host = sent(world, 20);
    const guilty = host.taken[4]?.event_id;
    const { sink } = world.start();
    sink.refuses = ({ rows }: Load) =>
      rows.some(({ event_id }) => event_id.replaceAll('-', '') === guilty) ? refusal('SINK_UNKNOWN') : undefined;
    await world.untilLoaded();
    expect(world.letters).toHaveLength(1);
    expect(sink.loads).toBe(4);
    expect(world.reasons()).toEqual({ dead_letter: 1 });
  });

  it('loads less at a time where the database does not manage so much in its time, and more again later', async () => {
    using world = new WritingWorld(2, { 'writer.batch_size': 400 });
    const host = new FakeHost(world, 'a');
    for (let n = 0; n < 400; n++) host.send({}, n % 2);
    const { sink } = world.start();
    sink.refuses = ({ rows }) =>
      rows.length > 60 ? new HostspoolError('SINK_TIMEOUT', 'too slow', { retryable: true }) : undefined;
    await world.untilLoaded();
    expect(sink.sizes.slice(0, 8)).toEqual([400, 400, 200, 200, 100, 100, 50, 100]);
    expect(world.rows()).toHaveLength(400);
    expect(world.sums()).toEqual({ received: 400, lost: 0, missing: 0 });
    sink.refuses = undefined;
    for (let n = 0; n < 1200; n++) host.send({}, n % 2);
    await world.untilLoaded();
    expect(Math.max(...sink.sizes.slice(-4))).toBeGreaterThan(100);
    expect(world.sums()).toEqual({ received: 1600, lost: 0, missing: 0 });
  });

  it('knows a load that was too slow to be answered, yet committed, by the fence', async () => {
    using world = new WritingWorld();
    const host = new FakeHost(world, 'a');
    for (let n = 0; n < 40; n++) host.send();
    const { sink } = world.start();
    const error = new HostspoolError('SINK_TIMEOUT', 'too slow', { retryable: true });
    sink.faults.push({ at: 'before', error }, { at: 'after', error });
    await world.untilLoaded();
    host.send();
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(41);
    expect(world.sums()).toEqual({ received: 41, lost: 0, missing: 0 });
  });

  it('loads less at a time where all rows are taken, only not all at once', async () => {
    using world = new WritingWorld();
    const host = new FakeHost(world, 'a');
    for (let n = 0; n < 40; n++) host.send();
    const { sink } = world.start();
    sink.refuses = ({ rows }) => (rows.length > 15 ? new HostspoolError('SINK_UNKNOWN', 'too complex') : undefined);
    await world.untilLoaded();
    expect(world.letters).toHaveLength(0);
    expect(world.sums()).toEqual({ received: 40, lost: 0, missing: 0 });
  });

  it('goes on where a person set the offset back, without a new row', async () => {
    using world = new WritingWorld();
    const host = sent(world, 10);
    const { consumer } = world.start();
    await world.untilLoaded();
    consumer.revoke();
    world.execute('UPDATE consumer_offsets SET next_offset = 2, evidence_timestamp = NULL, evidence_sha256 = NULL');
    consumer.assign([0]);
    host.send();
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(11);
    expect(world.sums()).toEqual({ received: 11, lost: 0, missing: 0 });
  });

  it('goes back with a database that was restored under its feet', async () => {
    using world = new WritingWorld();
    const host = sent(world, 10);
    world.start();
    await world.untilLoaded();
    world.execute(`
      DELETE FROM server_metrics WHERE seq > 4;
      UPDATE runs SET last_seq = 4, received = 4, version = 1, last_seq_by_partition = '{"0":[4,0,3]}';
      UPDATE hosts SET received = 4, samples = 4;
      UPDATE consumer_offsets SET next_offset = 4, evidence_timestamp = NULL, evidence_sha256 = NULL;`);
    host.send();
    await world.untilLoaded();
    expect(world.rows()).toHaveLength(11);
    expect(world.sums()).toEqual({ received: 11, lost: 0, missing: 0 });
  });
});

describe('dead letters', () => {
  it('keep none of our headers that their message had brought along', async () => {
    using world = new WritingWorld();
    const mine = [Buffer.from('1')];
    const copied = { mine, 'hostspool-replayed': mine, 'hostspool-truncated': mine, 'hostspool-offset': mine };
    world.log.produce(0, { key: 'x', value: 'not JSON', timestamp: 5, headers: copied });
    world.start();
    await world.untilLoaded();
    const headers = world.letters[0]?.headers;
    expect(headers).toMatchObject({ mine, 'hostspool-offset': '0' });
    expect(headers).not.toHaveProperty('hostspool-replayed');
    expect(headers).not.toHaveProperty('hostspool-truncated');
  });

  it('go with their reason, and what can be read of them is accounted, notes included', async () => {
    using world = new WritingWorld();
    const host = sent(world, 2);
    host.lose(3);
    host.sendPoison();
    world.log.produce(0, { key: 'x', value: 'not JSON', timestamp: 5, headers: { mine: [Buffer.from('1')] } });
    world.log.produce(0, { value: null, timestamp: 5 });
    host.send();
    world.start();
    await world.untilLoaded();
    expect(world.letters.map(({ headers = {} }) => headers['hostspool-reason'])).toEqual([
      'cpu_percent: not a number but "NaN"',
      'value: not JSON',
      'value: missing',
    ]);
    expect(world.letters[1]).toMatchObject({ key: Buffer.from('x'), value: Buffer.from('not JSON') });
    expect(world.letters[1]?.headers).toMatchObject({ mine: [Buffer.from('1')], 'hostspool-offset': '3' });
    expect(world.letters[2]).toMatchObject({ key: null, value: null });
    expect(world.reasons()).toEqual({ dead_letter: 1, spool_full: 3 });
    expect(world.sums()).toEqual({ received: 3, lost: 4, missing: 0 });
  });

  it('hold up the load until their topic takes them, and go once however often the load is repeated', async () => {
    using world = new WritingWorld();
    const host = sent(world, 2);
    host.sendPoison();
    world.deadLettersAway = new HostspoolError('KAFKA_UNREACHABLE', 'no broker', { retryable: true });
    const { sink, writer } = world.start();
    await world.clock.advance(30_000);
    expect(world.rows()).toEqual([]);
    expect(writer.health()).toEqual({ healthy: false, reasons: ['KAFKA_UNREACHABLE: no broker'] });
    sink.faults.push({ at: 'before', error: lost() }, { at: 'before', error: lost() });
    world.deadLettersAway = undefined;
    await world.untilLoaded();
    expect(world.letters).toHaveLength(1);
    expect(world.rows()).toHaveLength(2);
    expect(writer.health().healthy).toBe(true);
  });

  it('are cut down until the topic takes them, and say so', async () => {
    using world = new WritingWorld();
    const host = sent(world, 1);
    host.sendPoison({ hostname: 'h'.repeat(5000) });
    world.log.produce(0, { value: 'short', timestamp: 5 });
    world.deadLetterLimit = 2000;
    world.start();
    await world.untilLoaded();
    expect(world.letters).toHaveLength(2);
    const [long, short] = world.letters;
    expect(long?.value?.length).toBeLessThanOrEqual(2000);
    expect(Number(long?.headers?.['hostspool-truncated'])).toBeGreaterThan(5000);
    expect(short?.headers).not.toHaveProperty('hostspool-truncated');
  });
});

describe('a writer of rows that are kept for a time', () => {
  it('accounts a sample that is older, and makes no row of it', async () => {
    using world = new WritingWorld(1, { 'writer.retention': '1d' });
    const host = sent(world, 2);
    host.send({ timestamp: new Date(world.clock.now() - 2 * 86_400_000).toISOString() });
    host.send();
    world.start();
    await world.until(() => world.sums().received === 4, 'all are accounted');
    expect(world.rows()).toHaveLength(3);
    expect(world.sums()).toEqual({ received: 4, lost: 0, missing: 0 });
  });
});
