/** Short stories of loads, each with an end that a wrong load does not reach. */
import { deepStrictEqual as same } from 'node:assert';
import type { LogHole } from '../../src/accounts/advance.ts';
import { BEGAN, loadAll, loadOf, message, READER, uuid } from '../unit/sink/a-load.ts';
import { loadPersistently } from './persistent-loader.ts';
import type { SqlServerFixture } from './sqlserver-fixture.ts';

type Scenario = (fixture: SqlServerFixture) => Promise<void>;

const committed = (inserted: number, duplicates = 0) => ({ kind: 'committed', inserted, duplicates });
const HOLE: LogHole = {
  partition: 0,
  epoch: 0,
  first_offset: 1,
  next_offset: 5,
  reason: 'expired_in_kafka',
  found_at: BEGAN + 10,
};

export const LOAD_SCENARIOS: Readonly<Record<string, Scenario>> = {
  'a first load, and one that goes on': async ({ sink, server }) => {
    same(await loadAll(sink, [message(1, 1), message(2, 1)], null), committed(2));
    same(await loadAll(sink, [message(1, 2), message(3, 1)], 2), committed(2));
    same(server.committed.rows().length, 4);
    same((await sink.readOffsets(READER)).get(0)?.next, 4);
    same(server.committed.accounting(), { runs: 3, taken: 4, received: 4, lost: 0, missing: 0 });
    const hosts = await sink.listHosts();
    same(
      hosts.map(({ hostname, samples, received, first_seen, last_seen, spool_depth }) => {
        return [hostname, samples, received, first_seen, last_seen, spool_depth];
      }),
      [
        ['host-1', 2, 2, BEGAN + 1000, BEGAN + 2000, 2],
        ['host-2', 1, 1, BEGAN + 1000, BEGAN + 1000, 1],
        ['host-3', 1, 1, BEGAN + 1000, BEGAN + 1000, 1],
      ],
    );
  },

  'what is there already comes again': async ({ sink, server }) => {
    await loadAll(sink, [message(1, 1), message(1, 2)], null);
    same(await loadAll(sink, [message(1, 2), message(1, 3)], 2), committed(1, 1));
    same(server.committed.rows().length, 3);
    same((await sink.listHosts())[0]?.samples, 3);
  },

  'a zombie': async ({ sink, server }) => {
    await loadAll(sink, [message(1, 1), message(1, 2)], null);
    const late = await loadOf(sink, [message(2, 1), message(2, 2)], 1);
    same(await sink.load(late), { kind: 'fenced', partitions: [0] });
    same(server.committed.rows().length, 2);
    same((await sink.readOffsets(READER)).get(0)?.next, 2);
    same(await loadAll(sink, [message(2, 1)], 2), committed(1));
  },

  'two writers of one run': async ({ sink, server }) => {
    await loadAll(sink, [message(1, 1)], null);
    const accounts = await sink.readAccounts([uuid(1)]);
    await loadAll(sink, [message(1, 2)], 1);
    const stale = await loadOf(sink, [message(1, 5)], 2, { accounts });
    same(await sink.load(stale), { kind: 'stale', runs: [uuid(1)] });
    same(server.committed.rows().length, 2);
    same(server.committed.accounting().missing, 0);
  },

  'a gap that shrinks, gets its reason and closes': async ({ sink, server }) => {
    const lost = { kind: 'lost', run_id: uuid(1), first_seq: 2, last_seq: 2, reason: 'spool_full' };
    await loadAll(sink, [message(1, 1), message(1, 6)], null);
    same(server.committed.accounting().missing, 4);
    await loadAll(sink, [message(1, 5)], 2);
    same((await sink.readAccounts([uuid(1)])).get(uuid(1))?.gaps, [{ first_seq: 2, last_seq: 4, reason: null }]);
    await loadAll(sink, [message(1, 7, { notes: [lost] })], 3);
    await loadAll(sink, [message(1, 3), message(1, 4)], 4);
    const gaps = [{ first_seq: 2, last_seq: 2, reason: 'spool_full' }];
    same((await sink.readAccounts([uuid(1)])).get(uuid(1))?.gaps, gaps);
    same(server.committed.accounting(), { runs: 1, taken: 7, received: 6, lost: 1, missing: 0 });
    same((await sink.listHosts())[0]?.missing, 0);
  },

  'holes of the log, and a rehearsal of them': async ({ sink, server }) => {
    const load = await loadOf(sink, [message(1, 1)], null, { holes: [HOLE] });
    same(await sink.load({ ...load, rehearsal: true }), committed(1));
    for (const table of ['server_metrics', 'runs', 'seq_gaps', 'hosts', 'consumer_offsets', 'offset_holes'] as const)
      same(server.committed.table(table), [], table);
    same(await sink.load(load), committed(1));
    same(await sink.load(await loadOf(sink, [message(1, 2)], 1, { holes: [HOLE] })), committed(1));
    same(await sink.readHoles(READER), [HOLE]);
  },

  'a skip that a person takes back, by half and then wholly': async ({ sink }) => {
    await loadAll(sink, [message(1, 1), message(1, 2)], null);
    const reset = async (next: number, holes: readonly LogHole[] = []) => {
      const stored = (await sink.readOffsets(READER)).get(0) ?? null;
      same(await sink.resetOffsets(READER, [{ partition: 0, stored, next }], holes), []);
    };
    const skip: LogHole = { ...HOLE, first_offset: 2, next_offset: 10, reason: 'skipped_by_operator' };
    const kept: LogHole = { ...HOLE, first_offset: 4, next_offset: 6 };
    await reset(10, [skip, kept]);
    same(await sink.readHoles(READER), [skip, kept]);
    await reset(5);
    same(await sink.readHoles(READER), [{ ...skip, next_offset: 5 }, kept]);
    await reset(2);
    same(await sink.readHoles(READER), [kept]);
  },

  'an answer that is lost': async ({ sink, server }) => {
    const log = [message(1, 1), message(1, 2)];
    server.faults.add({ at: 'end', do: 'drop', when: 'after' });
    await loadPersistently(sink, log);
    same(server.faults.struck, 1);
    same(server.committed.duplicates(), 0);
    same(server.committed.rows().length, 2);
  },

  'a connection that is lost in the middle': async ({ sink, server }) => {
    const log = [message(1, 1), message(1, 2), message(2, 3)];
    await loadPersistently(sink, log.slice(0, 1));
    server.faults.add({ at: 'hosts-add', do: 'drop', when: 'before' });
    await loadPersistently(sink, log);
    same(server.faults.struck, 1);
    same(server.committed.rows().length, 3);
    same(
      (await sink.listHosts()).map(({ samples }) => samples),
      [2, 1],
    );
  },
};
