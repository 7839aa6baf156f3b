import { describe, expect, it } from 'vitest';
import type { Message } from '../../../src/agent/messages.ts';
import { Pace } from '../../../src/agent/pace.ts';
import { Shipper } from '../../../src/agent/shipper.ts';
import { Backoff } from '../../../src/lib/backoff.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';
import type { LogFields } from '../../../src/lib/log.ts';
import type { LossReason, Note } from '../../../src/sample/note.ts';
import type { PendingNote, ShippingState, SpooledSample } from '../../../src/spool/spool.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** The spool's side of the shipper's port, in memory. */
class MemorySpool {
  rows: SpooledSample[] = [];
  pending: PendingNote[] = [];
  refusals: [number, LossReason][] = [];
  saved: ShippingState[] = [];
  released = 0;
  spared = 0;
  #nextId = 1;

  constructor(samples: number) {
    this.add(samples);
  }

  add(samples: number): void {
    for (let n = 0; n < samples; n++) {
      const id = this.#nextId++;
      const identity = { event_id: `event-${id}`, run_id: 'run-1', seq: id };
      this.rows.push({
        id,
        hostname: 'web-1',
        identity,
        takenAt: Date.UTC(2026, 0, 1),
        payload: JSON.stringify({ seq: id }),
      });
    }
  }

  get depth(): number {
    return this.rows.length;
  }

  spare(): void {
    this.spared++;
  }

  read(limits: { samples: number; bytes: number }): readonly SpooledSample[] {
    return this.rows.slice(0, limits.samples);
  }

  notes(limit: number): readonly PendingNote[] {
    return this.pending.slice(0, limit);
  }

  acknowledgeAll(): boolean {
    return false;
  }

  acknowledge(upTo: number, noteIds: readonly number[], state?: ShippingState): void {
    this.rows = this.rows.filter((row) => row.id > upTo);
    this.pending = this.pending.filter((note) => !noteIds.includes(note.id));
    if (state !== undefined) this.saved.push(state);
  }

  release(): void {
    this.released++;
  }

  refuse(sample: SpooledSample, reason: LossReason): void {
    this.rows = this.rows.filter((row) => row.id !== sample.id);
    this.refusals.push([sample.identity.seq, reason]);
  }

  shipping(): ShippingState {
    return {
      state: 'stopped',
      shipped_total: 1000,
      last_ack_at: null,
      last_error: null,
      failures: 0,
      next_attempt_at: null,
      samples_per_second_out: 0,
    };
  }

  saveShipping(state: ShippingState): void {
    this.saved.push(state);
  }
}

type Broker = (messages: readonly Message[], attempt: number) => void | Promise<void>;

const accept: Broker = () => undefined;

function away(): never {
  throw new HostspoolError('KAFKA_UNREACHABLE', 'no broker answers', { retryable: true });
}

function start(
  spool: MemorySpool,
  broker: Broker,
  options: { rate?: number; batchSamples?: number; linger?: number } = {},
) {
  const clock = new FakeClock();
  const sent: Message[][] = [];
  const lines: ({ level: string } & LogFields)[] = [];
  const write = (level: string) => (fields: LogFields) => void lines.push({ level, ...fields });
  const pace = new Pace(options.rate ?? 0, clock);
  let attempts = 0;
  const shipper = new Shipper({
    spool,
    producer: {
      send: async (_topic, messages) => {
        await broker(messages, ++attempts);
        sent.push([...messages]);
      },
    },
    topic: 'server-metrics',
    batchSamples: options.batchSamples ?? 4,
    batchBytes: 1_000_000,
    linger: options.linger ?? 0,
    pace,
    backoff: new Backoff({ base: 1000, cap: 8000 }, () => 1),
    clock,
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
  });
  const stop = new AbortController();
  const running = shipper.run(stop.signal);
  return { shipper, clock, sent, lines, stop, running, attempts: () => attempts };
}

const seqs = (messages: readonly Message[]) =>
  messages.map((message) => (JSON.parse(String(message.value)) as { seq: number }).seq);
const lost = (id: number): PendingNote => ({
  id,
  note: { kind: 'lost', run_id: 'run-0', first_seq: id, last_seq: id, reason: 'crash' },
});

describe('the shipper', () => {
  it('sends the oldest first, in batches, and deletes only what was acknowledged', async () => {
    const spool = new MemorySpool(10);
    const { sent, clock, shipper } = start(spool, accept);
    await clock.advance(0);
    expect(sent.map(seqs)).toEqual([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
      [9, 10],
    ]);
    expect(spool.depth).toBe(0);
    expect(shipper.shipped).toBe(10);
    expect(spool.saved.at(-1)).toMatchObject({ state: 'idle', shipped_total: 1010 });
  });

  it('tells for how long it has waited for an answer, and nothing once it came', async () => {
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const { clock, shipper } = start(new MemorySpool(1), () => answered);
    expect(shipper.waitsFor).toBe(0);
    await clock.advance(150_000);
    expect(shipper.waitsFor).toBe(150_000);
    answer();
    await clock.advance(0);
    expect(shipper.waitsFor).toBe(0);
    expect(shipper.shipped).toBe(1);
  });

  it('sends a new sample as soon as it is woken', async () => {
    const spool = new MemorySpool(0);
    const { sent, clock, shipper } = start(spool, accept);
    await clock.advance(60_000);
    spool.add(1);
    shipper.wake();
    await clock.advance(0);
    expect(sent.map(seqs)).toEqual([[1]]);
  });

  it('keeps everything while Kafka is away, waits longer after each failure up to the cap, and a success resets it', async () => {
    const spool = new MemorySpool(3);
    let reachable = false;
    const { lines, clock, sent } = start(spool, () => (reachable ? undefined : away()));
    await clock.advance(40_000);
    const waits = lines.filter((line) => line.event === 'ship_failed').map((line) => line.next_attempt_in_ms);
    expect(waits.slice(0, 6)).toEqual([1000, 2000, 4000, 8000, 8000, 8000]);
    expect(spool.depth).toBe(3);
    expect(spool.saved.at(-1)).toMatchObject({
      state: 'backing_off',
      failures: waits.length,
      last_error: 'KAFKA_UNREACHABLE: no broker answers',
    });
    reachable = true;
    await clock.advance(8000);
    expect(sent.map(seqs)).toEqual([[1, 2, 3]]);
    expect(spool.saved.at(-1)).toMatchObject({ state: 'idle', failures: 0, next_attempt_at: null });
  });

  it('is not hurried by new samples while it backs off', async () => {
    const spool = new MemorySpool(1);
    const { shipper, clock, attempts } = start(spool, away);
    await clock.advance(0);
    for (let n = 0; n < 50; n++) {
      spool.add(1);
      shipper.wake();
      await clock.advance(1);
    }
    expect(attempts()).toBe(1);
  });

  it('keeps the spool and says that a person is needed when the right to write is missing', async () => {
    const spool = new MemorySpool(5);
    const { lines, clock } = start(spool, () => {
      throw new HostspoolError('KAFKA_AUTHORIZATION', 'not authorised to write to server-metrics', {
        hint: 'grant it',
      });
    });
    await clock.advance(30_000);
    expect(spool.depth).toBe(5);
    expect(spool.refusals).toEqual([]);
    expect(lines.filter((line) => line.event === 'ship_failed').every((line) => line.level === 'error')).toBe(true);
  });

  it.each(['KAFKA_MESSAGE_TOO_LARGE', 'KAFKA_INVALID_RECORD'])(
    'on %s halves the batch until the guilty sample stands alone, logs it whole and notes it, and ships all others',
    async (code) => {
      const spool = new MemorySpool(9);
      const { lines, clock, sent } = start(spool, (messages) => {
        if (seqs(messages).includes(6)) throw new HostspoolError(code, 'refused', { retryable: false });
      });
      await clock.advance(0);
      expect(sent.flatMap(seqs)).toEqual([1, 2, 3, 4, 5, 7, 8, 9]);
      expect(spool.refusals).toEqual([[6, 'refused_by_kafka']]);
      expect(lines.find((line) => line.event === 'sample_refused')).toMatchObject({
        level: 'error',
        payload: '{"seq":6}',
      });
    },
  );

  it('lets notes ride on the first sample of a batch, and forgets them only when it was acknowledged', async () => {
    const spool = new MemorySpool(2);
    spool.pending = [lost(1), lost(2)];
    const { clock, sent } = start(spool, (_, attempt) => (attempt === 1 ? away() : undefined));
    await clock.advance(0);
    expect(spool.pending).toHaveLength(2);
    await clock.advance(1000);
    const [first, second] = (sent[0] ?? []).map(
      (message) => JSON.parse(String(message.value)) as { seq: number; notes?: Note[] },
    );
    expect(first).toMatchObject({ seq: 1, notes: [lost(1).note, lost(2).note] });
    expect(second).toEqual({ seq: 2 });
    expect(spool.pending).toEqual([]);
  });

  it('carries at most a hundred notes at a time', async () => {
    const spool = new MemorySpool(8);
    spool.pending = Array.from({ length: 250 }, (_, index) => lost(index + 1));
    const { clock, sent } = start(spool, accept);
    await clock.advance(0);
    const counts = sent.map(
      (batch) => (JSON.parse(String((batch[0] as Message).value)) as { notes: Note[] }).notes.length,
    );
    expect(counts).toEqual([100, 100]);
    expect(spool.pending).toHaveLength(50);
  });

  it('tries a lone sample that is too large without its notes before it gives it up', async () => {
    const spool = new MemorySpool(1);
    spool.pending = [lost(1)];
    const { clock, sent } = start(spool, (messages) => {
      if (messages.some((message) => message.value.includes('notes')))
        throw new HostspoolError('KAFKA_MESSAGE_TOO_LARGE', 'too large');
    });
    await clock.advance(0);
    expect(sent.map(seqs)).toEqual([[1]]);
    expect(spool.refusals).toEqual([]);
    expect(spool.pending).toHaveLength(1);
  });

  it('brings notes to Kafka also where a hundred of them do not fit beside a sample', async () => {
    const spool = new MemorySpool(100);
    spool.pending = Array.from({ length: 250 }, (_, index) => lost(index + 1));
    const { clock, attempts } = start(spool, (messages) => {
      const size = messages.reduce((sum, { value }) => sum + value.length, 0);
      if (size > 2000) throw new HostspoolError('KAFKA_MESSAGE_TOO_LARGE', 'too large');
    });
    await clock.advance(0);
    expect([spool.depth, spool.refusals, spool.pending]).toEqual([0, [], []]);
    expect(attempts()).toBeLessThan(200);
  });

  it('sends less at a time where a whole batch takes longer than a request may, and more again after', async () => {
    const spool = new MemorySpool(2000);
    let most = 100;
    const { clock, sent } = start(
      spool,
      (messages) => {
        if (messages.length > most) throw new HostspoolError('KAFKA_TIMEOUT', 'no answer', { retryable: true });
      },
      { batchSamples: 500 },
    );
    for (let second = 0; second < 60 && spool.depth > 1000; second++) await clock.advance(1000);
    expect(spool.depth).toBeLessThanOrEqual(1000);
    most = 500;
    spool.add(10_000);
    for (let second = 0; second < 60 && spool.depth > 0; second++) await clock.advance(1000);
    expect(spool.depth).toBe(0);
    expect(Math.max(...sent.map(({ length }) => length))).toBe(500);
  });

  it('gives up slowly where Kafka refuses everything: it is the topic, and most is still there afterwards', async () => {
    const spool = new MemorySpool(2000);
    let isSmall = true;
    const { clock } = start(spool, () => {
      if (isSmall) throw new HostspoolError('KAFKA_MESSAGE_TOO_LARGE', 'too large');
    });
    for (let second = 0; second < 20; second++) await clock.advance(1000);
    expect(spool.refusals.length).toBeGreaterThan(20);
    expect(spool.refusals.length).toBeLessThan(100);
    const given = spool.refusals.length;
    isSmall = false;
    await clock.advance(1000);
    expect([spool.depth, spool.refusals.length]).toEqual([0, given]);
  });

  it('paces a drain by the rate', async () => {
    const spool = new MemorySpool(100);
    const { clock, shipper } = start(spool, accept, { rate: 20, batchSamples: 500 });
    await clock.advance(0);
    await clock.advance(2000);
    expect(shipper.shipped).toBeGreaterThanOrEqual(40);
    expect(shipper.shipped).toBeLessThanOrEqual(44);
    await clock.advance(4000);
    expect(spool.depth).toBe(0);
  });

  it('lingers after a round that emptied the spool: what comes meanwhile leaves together', async () => {
    const spool = new MemorySpool(1);
    const { clock, shipper, sent } = start(spool, accept, { linger: 5000 });
    await clock.advance(0);
    expect(sent.map(seqs)).toEqual([[1]]);
    for (let second = 1; second <= 4; second++) {
      await clock.advance(1000);
      spool.add(1);
      shipper.wake();
    }
    expect(sent).toHaveLength(1);
    await clock.advance(1000);
    expect(sent.map(seqs)).toEqual([[1], [2, 3, 4, 5]]);
    expect(spool.spared).toBe(1);
    expect(shipper.state.state).toBe('idle');
  });

  it('sends at once what comes further apart, what fills a batch, and what waits after a failure', async () => {
    const spool = new MemorySpool(1);
    let away = false;
    const { clock, shipper, sent } = start(
      spool,
      () => {
        if (away) throw new HostspoolError('KAFKA_UNREACHABLE', 'no broker answers', { retryable: true });
      },
      { linger: 5000, batchSamples: 4 },
    );
    await clock.advance(5000);
    const add = async (samples: number) => {
      spool.add(samples);
      shipper.wake();
      await clock.advance(0);
    };
    await add(1);
    expect(sent.map(seqs)).toEqual([[1], [2]]);
    await add(3);
    expect(sent).toHaveLength(2);
    await add(1);
    expect(sent.map(seqs)).toEqual([[1], [2], [3, 4, 5, 6]]);
    away = true;
    await clock.advance(5000);
    await add(1);
    away = false;
    await add(1);
    await clock.advance(1000);
    expect(sent.slice(3).map(seqs)).toEqual([[7, 8]]);
    await add(1);
    shipper.setLinger(0);
    await clock.advance(0);
    expect(sent.slice(4).map(seqs)).toEqual([[9]]);
  });

  it('is told to finish: does not linger', async () => {
    const spool = new MemorySpool(1);
    const { shipper, clock, running, sent } = start(spool, accept, { linger: 60_000 });
    await clock.advance(0);
    spool.add(1);
    shipper.wake();
    await clock.advance(0);
    shipper.finish();
    await running;
    expect(sent.map(seqs)).toEqual([[1], [2]]);
  });

  it('is told to finish: makes one attempt at once, even while it backs off, and ends at a failure', async () => {
    const spool = new MemorySpool(3);
    const { shipper, clock, running, attempts } = start(spool, away);
    await clock.advance(0);
    shipper.finish();
    await running;
    expect(attempts()).toBe(2);
    expect(spool.depth).toBe(3);
    expect(spool.saved.at(-1)).toMatchObject({ state: 'stopped' });
  });

  it('is told to finish: ships everything that is left when Kafka is there', async () => {
    const spool = new MemorySpool(0);
    const { shipper, clock, running, sent } = start(spool, accept);
    await clock.advance(10);
    spool.add(9);
    shipper.finish();
    await running;
    expect(sent.flatMap(seqs)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});
