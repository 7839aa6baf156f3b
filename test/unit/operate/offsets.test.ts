import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lastTaken } from '../../../src/kafka/evidence.ts';
import { openSqlite } from '../../../src/lib/sqlite.ts';
import { applyReset, planOffsets, type ResetOptions } from '../../../src/operate/offset-reset.ts';
import { SqliteSink } from '../../../src/sink/sqlite/sqlite-sink.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLogAdmin, logMessage } from '../../support/fake-log-admin.ts';
import { loadAll, loadOf, message, READER } from '../sink/a-load.ts';

const NOW = Date.UTC(2026, 0, 1);

let directory: string;
let sink: SqliteSink;
let log: FakeLogAdmin;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'offsets-'));
  sink = SqliteSink.open({ path: join(directory, 'metrics.db') });
  log = new FakeLogAdmin().partition(0, 0, 10, NOW);
});

afterEach(async () => {
  await sink.close();
  rmSync(directory, { recursive: true });
});

function accounting() {
  const database = openSqlite(join(directory, 'metrics.db'), { readonly: true });
  try {
    return database
      .prepare(
        'SELECT taken, received, lost, lost_skipped_by_operator, lost_expired_in_kafka, missing FROM vw_sample_accounting',
      )
      .get();
  } finally {
    database.close();
  }
}

function options(target: ResetOptions['target'], partitions: readonly number[] | null = null): ResetOptions {
  return { log, database: sink, reader: READER, target, partitions, clock: new FakeClock(NOW) };
}

async function reset(target: ResetOptions['target'], partitions: readonly number[] | null = null) {
  const wish = options(target, partitions);
  const plan = await planOffsets(wish);
  await applyReset(wish, plan);
  return plan.map(({ from, to, again, skipped, expired }) => ({ from, to, again, skipped, expired }));
}

const next = async (partition = 0) => (await sink.readOffsets(READER)).get(partition)?.next;
const samples = (...seqs: number[]) => seqs.map((seq) => message(1, seq));

describe('a reset of the offsets', () => {
  it('goes back, so that everything is read again and makes no row twice', async () => {
    await loadAll(sink, samples(1, 2, 3, 4), null);
    expect(await reset({ kind: 'earliest' })).toEqual([{ from: 4, to: 0, again: 4, skipped: 0, expired: 0 }]);
    expect(await next()).toBe(0);
    expect(log.commits.get(0)).toBe(0);
    expect(await loadAll(sink, samples(1, 2, 3, 4), 0)).toEqual({ kind: 'committed', inserted: 0, duplicates: 4 });
    expect(accounting()).toMatchObject({ received: 4, lost: 0, missing: 0 });
  });

  it('goes to a time, partition by partition, and to the end where nothing is as new', async () => {
    log.partition(1, 100, 110, NOW - 3_600_000);
    await loadAll(sink, samples(1, 2), null);
    expect(await reset({ kind: 'time', time: NOW + 5000 })).toEqual([
      { from: 2, to: 5, again: 0, skipped: 3, expired: 0 },
      { from: null, to: 110, again: 0, skipped: 10, expired: 0 },
    ]);
    expect([await next(0), await next(1)]).toEqual([5, 110]);
  });

  it('puts what it skips on record, which explains the samples that are never read', async () => {
    await loadAll(sink, samples(1, 2, 3), null);
    expect(await reset({ kind: 'latest' })).toEqual([{ from: 3, to: 10, again: 0, skipped: 7, expired: 0 }]);
    const holes = await sink.readHoles(READER);
    expect(holes).toEqual([
      { partition: 0, epoch: 0, first_offset: 3, next_offset: 10, reason: 'skipped_by_operator', found_at: NOW },
    ]);
    await sink.load({ ...(await loadOf(sink, samples(11, 12), 10, { holes })), holes: [] });
    expect(accounting()).toEqual({
      taken: 12,
      received: 5,
      lost: 7,
      lost_skipped_by_operator: 7,
      lost_expired_in_kafka: 0,
      missing: 0,
    });
  });

  it('takes a skip off the record again when it goes back over it, and the samples are received after all', async () => {
    await loadAll(sink, samples(1, 2, 3), null);
    await reset({ kind: 'latest' });
    const skips = await sink.readHoles(READER);
    await sink.load({ ...(await loadOf(sink, samples(11), 10, { holes: skips })), holes: [] });
    log.partition(0, 0, 11, NOW);
    await reset({ kind: 'offset', offset: 3 });
    expect(await sink.readHoles(READER)).toEqual([]);
    await loadAll(sink, samples(4, 5, 6, 7, 8, 9, 10, 11), 3);
    expect(accounting()).toMatchObject({ taken: 11, received: 11, lost: 0, missing: 0 });
  });

  it('shortens a skip that it goes back into', async () => {
    await loadAll(sink, samples(1, 2, 3), null);
    await reset({ kind: 'latest' });
    await reset({ kind: 'offset', offset: 6 });
    expect(await sink.readHoles(READER)).toMatchObject([{ first_offset: 3, next_offset: 6 }]);
    await reset({ kind: 'latest' });
    expect(await sink.readHoles(READER)).toMatchObject([
      { first_offset: 3, next_offset: 6 },
      { first_offset: 6, next_offset: 10 },
    ]);
  });

  it('tells apart what had expired before and what it skips', async () => {
    await loadAll(sink, samples(1, 2), null);
    log.partition(0, 5, 10, NOW);
    expect(await reset({ kind: 'latest' })).toEqual([{ from: 2, to: 10, again: 0, skipped: 5, expired: 3 }]);
    expect(await sink.readHoles(READER)).toMatchObject([
      { first_offset: 2, next_offset: 5, reason: 'expired_in_kafka' },
      { first_offset: 5, next_offset: 10, reason: 'skipped_by_operator' },
    ]);
  });

  it('touches only the partitions that are named', async () => {
    log.partition(1, 0, 10, NOW);
    await loadAll(sink, samples(1, 2), null);
    await reset({ kind: 'latest' }, [1]);
    expect([await next(0), await next(1)]).toEqual([2, 10]);
    await expect(reset({ kind: 'latest' }, [2])).rejects.toMatchObject({ code: 'PARTITION_UNKNOWN' });
  });

  it('changes nothing while it is only planned, nor where everything is as it should be', async () => {
    const plan = await planOffsets(options({ kind: 'earliest' }));
    expect(plan.map(({ changes }) => changes)).toEqual([false]);
    await applyReset(options({ kind: 'earliest' }), plan);
    await planOffsets(options({ kind: 'latest' }));
    expect(await sink.readOffsets(READER)).toEqual(new Map());
    expect(log.commits).toEqual(new Map());
  });

  it('is refused while the group has members, also when one came after the plan', async () => {
    await loadAll(sink, samples(1, 2), null);
    const plan = await planOffsets(options({ kind: 'latest' }));
    log.memberCount = 1;
    await expect(planOffsets(options({ kind: 'latest' }))).rejects.toMatchObject({ code: 'KAFKA_GROUP_ACTIVE' });
    await expect(applyReset(options({ kind: 'latest' }), plan)).rejects.toMatchObject({ code: 'KAFKA_GROUP_ACTIVE' });
    expect(await next()).toBe(2);
  });

  it('is refused when the offsets moved since it was planned, and then records nothing', async () => {
    await loadAll(sink, samples(1, 2), null);
    const plan = await planOffsets(options({ kind: 'latest' }));
    await loadAll(sink, samples(3), 2);
    await expect(applyReset(options({ kind: 'latest' }), plan)).rejects.toMatchObject({ code: 'OFFSETS_MOVED' });
    expect(await next()).toBe(3);
    expect(await sink.readHoles(READER)).toEqual([]);
  });

  it('is refused to an offset that the log does not have', async () => {
    await expect(reset({ kind: 'offset', offset: 11 })).rejects.toMatchObject({ code: 'OFFSET_OUTSIDE_LOG' });
    expect(await reset({ kind: 'offset', offset: 10 })).toMatchObject([{ to: 10 }]);
  });

  it('is refused on a topic that was made anew, which only a writer takes up rightly', async () => {
    await loadAll(sink, samples(1, 2), null);
    log.partition(0, 0, 1, NOW);
    await expect(reset({ kind: 'earliest' })).rejects.toMatchObject({ code: 'TOPIC_RECREATED' });

    log.partition(0, 0, 10, NOW);
    const load = await loadOf(sink, samples(3), 2);
    const evidence = lastTaken(logMessage(2, NOW + 2000, 'not what is there'));
    await sink.load({ ...load, offsets: load.offsets.map((move) => ({ ...move, evidence })) });
    await expect(reset({ kind: 'earliest' })).rejects.toMatchObject({ code: 'TOPIC_RECREATED' });
  });

  it('stands although Kafka’s own offsets could not follow, and says why they did not', async () => {
    await loadAll(sink, samples(1, 2), null);
    const wish = options({ kind: 'earliest' });
    const plan = await planOffsets(wish);
    log.failing.add('commit');
    expect((await applyReset(wish, plan)).kafka_error).toMatchObject({ code: 'KAFKA_TIMEOUT' });
    expect(await next()).toBe(0);
  });
});
