import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorCode } from '../../src/lib/errors.ts';
import type { SqlServerSink } from '../../src/sink/sqlserver/sqlserver-sink.ts';
import { TcpProxy } from '../support/proxy.ts';
import { loadOf, message, READER } from '../unit/sink/a-load.ts';
import { clock, missing, TestDatabase } from './database.ts';
import { loadUntilCommitted } from './loading.ts';

describe.skipIf(missing !== undefined)(
  `faults on a server${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let database: TestDatabase;
    let sink: SqlServerSink;

    beforeAll(async () => {
      database = await TestDatabase.create();
      sink = database.sink();
    });

    afterAll(async () => {
      await database?.[Symbol.asyncDispose]();
    });

    const rows = async () => {
      const [count] = await database.query('count');
      return { n: Number(count?.n), events: Number(count?.events) };
    };
    const batch = (run: number, length: number, first = 1) =>
      Array.from({ length }, (_, index) => message(run, first + index));

    it.each([0.3, 0.7, 0.95])(
      'a connection cut after a share of %d of what a load sends ends in one copy of each row',
      async (share) => {
        const { host, port } = database.settings;
        await using proxy = await TcpProxy.listen({ target: `${host}:${port}` });
        const cut = database.sink({ host: '127.0.0.1', port: proxy.port });
        const run = Math.round(share * 100);
        const before = await rows();
        // What a load sends, measured by one of the same size.
        await loadUntilCommitted(cut, batch(run, 2000), null, run);
        const limit = proxy.bytes.toServer * (1 + share);
        const load = await loadOf(cut, batch(run, 2000, 2001), 2000, { partition: run });
        proxy.onBytes((direction, total) => {
          if (direction !== 'toServer' || total < limit) return;
          proxy.onBytes(undefined);
          proxy.cut();
        });
        await expect(cut.load(load)).rejects.toMatchObject({ retryable: true });
        await loadUntilCommitted(cut, batch(run, 2000, 2001), 2000, run);
        expect(await rows()).toEqual({ n: before.n + 4000, events: before.events + 4000 });
      },
    );

    it('an answer that never came ends in one copy of each row', async () => {
      const { host, port } = database.settings;
      await using proxy = await TcpProxy.listen({ target: `${host}:${port}` });
      const deaf = database.sink({ host: '127.0.0.1', port: proxy.port, request_timeout: 5000 });
      const before = await rows();
      await loadUntilCommitted(deaf, batch(200, 10), null, 200);
      const start = proxy.bytes.toServer;
      await loadUntilCommitted(deaf, batch(200, 10, 11), 10, 200);
      const size = proxy.bytes.toServer - start;
      const load = await loadOf(deaf, batch(200, 10, 21), 20, { partition: 200 });
      // The batch that commits is most of so small a load: nearly all has gone through, the rest goes, no answer comes.
      const limit = proxy.bytes.toServer + size * 0.85;
      proxy.onBytes((direction, total) => {
        if (direction === 'toServer' && total >= limit) proxy.stall('toClient');
      });
      await expect(deaf.load(load)).rejects.toMatchObject({ retryable: true });
      proxy.onBytes(undefined);
      proxy.resume();
      proxy.cut();
      await loadUntilCommitted(deaf, batch(200, 10, 21), 20, 200);
      expect(await rows()).toEqual({ n: before.n + 30, events: before.events + 30 });
    });

    it('two writers at once over the same hosts end with every sample once and the sums right', async () => {
      const before = await rows();
      const writers = [0, 1, 2, 3].map(async (writer) => {
        const own = database.sink();
        const partition = 10 + writer;
        for (let round = 0; round < 10; round++) {
          // Each run is spread over all partitions, as while partitions are added.
          const messages = Array.from({ length: 40 }, (_, index) => {
            const run = 300 + (index % 8);
            const seq = round * 20 + writer * 5 + Math.floor(index / 8) + 1;
            return message(run, seq);
          });
          await loadUntilCommitted(own, messages, round === 0 ? null : round * 40, partition);
        }
      });
      await Promise.all(writers);
      const after = await rows();
      expect(after).toEqual({ n: before.n + 1600, events: before.events + 1600 });
      const [runs] = await database.query('sums');
      const [hosts] = await database.query('hostSums');
      expect(Number(runs?.missing)).toBe(0);
      for (const name of ['received', 'lost', 'missing']) expect(Number(hosts?.[name])).toBe(Number(runs?.[name]));
      expect(Number(hosts?.samples)).toBe(after.n);
    });

    it('two writers that load the very same messages at once leave one copy', async () => {
      const before = await rows();
      const messages = batch(400, 500);
      const both = [database.sink(), database.sink()].map((own) => loadUntilCommitted(own, messages, null, 20));
      const inserted = (await Promise.all(both)).reduce((sum, each) => sum + each.inserted, 0);
      expect(inserted).toBe(500);
      expect(await rows()).toEqual({ n: before.n + 500, events: before.events + 500 });
    });

    it('two that lock crosswise go on; whoever is the victim, the load is in afterwards, once', async () => {
      await loadUntilCommitted(sink, [message(1, 1)], null);
      const before = await rows();
      const other = await database.connect();
      const looker = await database.connect();
      try {
        await other.run('begin');
        await other.run('touchHost');
        // It takes its offset, and then waits for the host.
        const loading = sink.load(await loadOf(sink, [message(1, 2)], 1)).then(
          () => 'committed',
          (error: unknown) => errorCode(error),
        );
        await untilLocked(() => looker.run('touchOffsetsSoon'));
        const touched = await other.run('touchOffsets').then(
          () => 'done',
          () => 'victim',
        );
        if (touched === 'done') await other.run('rollback');
        const loaded = await loading;
        expect(['committed', 'SINK_DEADLOCK', 'SINK_LOCKED']).toContain(loaded);
        if (touched === 'victim') expect(loaded).toBe('committed');
        await loadUntilCommitted(sink, [message(1, 2)], 1);
        expect(await rows()).toEqual({ n: before.n + 1, events: before.events + 1 });
      } finally {
        other.close();
        looker.close();
      }
    });

    it('a lock that somebody holds is waited for some seconds, then told as such', async () => {
      const other = await database.connect();
      try {
        await other.run('begin');
        await other.run('touchHost');
        await expect(sink.load(await loadOf(sink, [message(1, 3)], 2))).rejects.toMatchObject({
          code: 'SINK_LOCKED',
          retryable: true,
        });
        await other.run('rollback');
      } finally {
        other.close();
      }
      expect((await sink.readOffsets(READER, [0])).get(0)?.next).toBe(2);
      expect(await loadUntilCommitted(sink, [message(1, 3)], 2)).toMatchObject({ inserted: 1 });
    });

    it('a wrong password is told as such, without it', async () => {
      const wrong = database.sink({ password: 'not-the-password-1' });
      const error = await wrong.readOffsets(READER).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'SINK_LOGIN', retryable: false });
      expect(String(error)).not.toContain('not-the-password-1');
    });

    it('a database that is not there is told as such', async () => {
      const elsewhere = database.sink({ database: 'hostspool_test_nowhere' });
      await expect(elsewhere.readOffsets(READER)).rejects.toMatchObject({ code: 'SINK_DATABASE_MISSING' });
    });
  },
);

/** Repeats what succeeds at once until a lock stops it. */
async function untilLocked(touch: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await touch();
    } catch {
      return;
    }
    await clock.sleep(50);
  }
}
