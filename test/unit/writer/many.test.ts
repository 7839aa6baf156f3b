/** What a writer holds and explains at once, in numbers that a call cannot take as its arguments. */
import { describe, expect, it } from 'vitest';
import type { Account } from '../../../src/accounts/account.ts';
import type { LogHole } from '../../../src/accounts/advance.ts';
import { lastTaken } from '../../../src/kafka/evidence.ts';
import { silentLog } from '../../../src/lib/log.ts';
import type { Load, Sink } from '../../../src/sink/sink.ts';
import { decodeChunk } from '../../../src/writer/chunk.ts';
import { DeadLetters } from '../../../src/writer/dead-letters.ts';
import { Health } from '../../../src/writer/health.ts';
import { Loader } from '../../../src/writer/loader.ts';
import { Patience } from '../../../src/writer/patience.ts';
import { Waiting } from '../../../src/writer/waiting.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const MANY = 150_000;
const READER = { group: 'g', topic: 't' };
const HOLE: LogHole = {
  ...{ partition: 0, epoch: 0, first_offset: 10, next_offset: 20 },
  ...{ reason: 'expired_in_kafka', found_at: 0 },
};

function openRun(n: number): Account {
  return {
    run_id: `0196a5b0-0000-7000-8000-${n.toString(16).padStart(12, '0')}`,
    hostname: `host-${n % 100}`,
    ...{ first_seen: 0, last_seen: 0, last_seq: 3, ended: null, uncertain: false, version: 1 },
    last_seq_by_partition: new Map([[0, { seq: 1, epoch: 0, offset: 9 }]]),
    gaps: [{ first_seq: 2, last_seq: 3, reason: null }],
  };
}

describe('a fleet that is larger than most', () => {
  it('has all its runs explained by one hole', async () => {
    const clock = new FakeClock();
    const runs = new Map(Array.from({ length: MANY }, (_, n) => [openRun(n).run_id, openRun(n)]));
    const loads: Load[] = [];
    const sink: Sink = {
      load: async (load) => {
        loads.push(load);
        return { kind: 'committed', inserted: 0, duplicates: 0 };
      },
      readOffsets: async () => new Map(),
      readAccounts: async () => new Map(),
      readUnexplained: async () => runs,
      readHoles: async () => [HOLE],
      close: async () => undefined,
    };
    const send = async () => undefined;
    const letters = { topic: 't', producer: { send }, ensureTopic: send, log: silentLog };
    const health = new Health(clock);
    const common = { backoff: { base: 1, cap: 1 }, random: () => 0, health, clock, log: silentLog };
    const patience = new Patience({ organ: 'database', ...common });
    const loader = new Loader({
      ...{ reader: READER, sink, deadLetters: new DeadLetters(letters), retention: 0, clock, log: silentLog },
      ...{ patience, letterPatience: patience },
    });
    await loader.beginSession();
    const still = { partition: 0, expected: { epoch: 0, offset: 20 }, epoch: 0, next: 20, evidence: null, began_at: 0 };
    const settled = loader.settle([still], [], new AbortController().signal);
    await clock.advance(10);
    expect(await settled).toBe('committed');
    expect(loads[0]?.accounts).toHaveLength(MANY);
  });
});

describe('what waits for a load', () => {
  it('is put back from any number of fetches', () => {
    const waiting = new Waiting();
    for (let offset = 0; offset < MANY; offset++) {
      const message = { offset, key: null, timestamp: 0, value: null, headers: {} };
      waiting.push(decodeChunk(0, [message], { ...lastTaken(message), offset }, 0));
    }
    const piece = waiting.cut(MANY, 1);
    if (piece === undefined) throw new Error('nothing was cut');
    waiting.putBack(piece);
    expect(waiting.messages).toBe(MANY);
    expect(waiting.begin).toEqual({ epoch: 0, offset: 0 });
  });
});
