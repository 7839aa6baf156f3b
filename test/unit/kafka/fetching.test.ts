/** Fetching from several leaders, which answer, move and fail as the test says. */
import type { ClusterBroker } from 'kafkajs/src/cluster/index.js';
import { afterEach, describe, expect, it } from 'vitest';
import { toKafkaError } from '../../../src/kafka/errors.ts';
import type { FetchedPartition } from '../../../src/kafka/fetch-request.ts';
import { Fetching } from '../../../src/kafka/fetching.ts';
import type { FetchedBatch, FetchTarget, LogBounds } from '../../../src/kafka/log-session.ts';
import type { HostspoolError } from '../../../src/lib/errors.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordBatch } from '../../support/record-batch.ts';

const NOT_LEADER = 6;
const OUT_OF_RANGE = 1;

interface Request {
  readonly node: number;
  readonly limit: number | undefined;
  readonly positions: ReadonlyMap<number, number>;
  answer(): void;
  refuse(partition: number, errorCode: number): void;
  fail(error: Error): void;
}

/** Brokers whose answers wait for the test; each request is in `open` until it is answered. */
class FakeBrokers {
  readonly topic = 't';
  readonly open: Request[] = [];
  /** Every request so far. */
  readonly asked: Request[] = [];
  refreshes = 0;
  bounds: LogBounds = { start: 0, end: 0 };
  /** Gives only a part of each batch. */
  cutsOff = false;
  /** What the next `refresh` brings. */
  next: ReadonlyMap<number, number>;
  leaders: ReadonlyMap<number, number>;

  constructor(leaders: readonly (readonly [number, number])[]) {
    this.leaders = new Map(leaders);
    this.next = this.leaders;
  }

  /** The request that this node has not answered yet. */
  to(node: number): Request {
    const found = this.open.filter((request) => request.node === node);
    if (found.length !== 1) throw new Error(`${found.length} requests to ${node}`);
    return found[0] as Request;
  }

  leaderOf(partition: number): number | undefined {
    const leader = this.leaders.get(partition) ?? -1;
    return leader < 0 ? undefined : leader;
  }

  async refresh(): Promise<void> {
    this.refreshes++;
    this.leaders = new Map(this.next);
  }

  error(thrown: unknown): HostspoolError {
    return toKafkaError(thrown, { brokers: ['b:1'], topic: 't' });
  }

  async ask<Answer>(
    node: number,
    request: (broker: ClusterBroker) => Promise<Answer>,
    limit?: number,
  ): Promise<Answer> {
    const broker = {
      lookupRequest: () => (given: object) => ({ request: { apiVersion: 11, given } }),
      connectionPool: {
        send: ({ request: { given } }: { request: { given: Given } }) => this.#fetch(node, given, limit),
      },
      listOffsets: async ({ topics }: { topics: { partitions: { partition: number; timestamp: number }[] }[] }) => ({
        responses: topics.map(({ partitions }) => ({
          partitions: partitions.map(({ partition, timestamp }) => ({
            partition,
            offset: String(timestamp === -2 ? this.bounds.start : this.bounds.end),
          })),
        })),
      }),
    };
    return request(broker as unknown as ClusterBroker);
  }

  #fetch(node: number, given: Given, limit: number | undefined): Promise<FetchedPartition[]> {
    const { promise, resolve, reject } = Promise.withResolvers<FetchedPartition[]>();
    const positions = new Map(
      given.topics.flatMap(({ partitions }) => partitions.map((each) => [each.partition, Number(each.fetchOffset)])),
    );
    const refused = new Map<number, number>();
    const end = (settle: () => void) => {
      this.open.splice(this.open.indexOf(request), 1);
      settle();
    };
    const request: Request = {
      ...{ node, limit, positions },
      answer: () =>
        end(() =>
          resolve([...positions].map(([partition, at]) => one(partition, at, refused.get(partition), this.cutsOff))),
        ),
      refuse: (partition, errorCode) => void refused.set(partition, errorCode),
      fail: (error) => end(() => reject(error)),
    };
    this.open.push(request);
    this.asked.push(request);
    return promise;
  }
}

interface Given {
  readonly topics: readonly { readonly partitions: readonly { partition: number; fetchOffset: string }[] }[];
}

/** One message at the position, or an error. */
function one(partition: number, position: number, errorCode = 0, cutOff = false): FetchedPartition {
  const batch = recordBatch({ baseOffset: position, records: [{ offset: position }] });
  const records = errorCode === 0 ? batch.subarray(0, cutOff ? -1 : undefined) : Buffer.alloc(0);
  return { partition, errorCode, end: position + 1, aborted: [], records };
}

/** Time also passes between two looks at it. */
class PassingClock extends FakeClock {
  /** The next look is just before this time, all later ones are after it. */
  edge: number | undefined;

  override monotonic(): number {
    const { edge } = this;
    if (edge === undefined) return super.monotonic();
    this.edge = undefined;
    this.pass(edge - super.monotonic());
    return edge - 0.001;
  }
}

class Target implements FetchTarget {
  readonly next = new Map<number, number>();
  readonly batches: FetchedBatch[] = [];
  readonly failures: { partitions: readonly number[]; code: string }[] = [];
  readonly outOfRanges: { partition: number; position: number; bounds: LogBounds }[] = [];
  readonly paused = new Set<number>();

  positions(partitions: readonly number[]): ReadonlyMap<number, number> {
    return new Map(partitions.filter((each) => !this.paused.has(each)).map((each) => [each, this.next.get(each) ?? 0]));
  }

  took(batch: FetchedBatch): void {
    expect(batch.position).toBe(this.next.get(batch.partition) ?? 0);
    this.next.set(batch.partition, batch.next);
    this.batches.push(batch);
  }

  outOfRange(partition: number, position: number, bounds: LogBounds): void {
    this.outOfRanges.push({ partition, position, bounds });
  }

  failed(partitions: readonly number[], error: HostspoolError): void {
    this.failures.push({ partitions, code: error.code });
  }
}

describe('fetching', () => {
  const stop: AbortController[] = [];
  afterEach(() => {
    for (const each of stop.splice(0)) each.abort();
  });

  async function start(leaders: readonly (readonly [number, number])[], partitions = leaders.map(([each]) => each)) {
    const clock = new PassingClock();
    const brokers = new FakeBrokers(leaders);
    const target = new Target();
    const ended = new AbortController();
    stop.push(ended);
    const options = { requestTimeout: 5000, backoff: { base: 100, cap: 400 }, random: () => 0.99, log: silentLog };
    const fetching = new Fetching({ brokers, partitions, clock, ...options }, target, ended.signal);
    const run = fetching.run();
    run.catch(() => undefined);
    await clock.advance(0);
    return { clock, brokers, target, fetching, ended, run };
  }

  /** By node: which partition is asked for at which position. */
  const asks = (requests: readonly Request[]) =>
    Object.fromEntries(requests.map(({ node, positions }) => [node, Object.fromEntries(positions)]));

  it('asks each leader for its partitions, and again when it has answered, whatever the others do', async () => {
    const { clock, brokers, target } = await start([
      [0, 1],
      [1, 2],
      [2, 1],
    ]);
    expect(asks(brokers.open)).toEqual({ 1: { 0: 0, 2: 0 }, 2: { 1: 0 } });
    // A limit to each: what the broker may wait, and the time for the answer.
    expect(brokers.to(1).limit).toBe(5500);
    for (let n = 0; n < 3; n++) {
      brokers.to(1).answer();
      await clock.advance(0);
    }
    expect(target.next).toEqual(
      new Map([
        [0, 3],
        [2, 3],
      ]),
    );
    expect(asks(brokers.open)).toEqual({ 2: { 1: 0 }, 1: { 0: 3, 2: 3 } });
  });

  it('asks again for a partition whose rest ends just while it is looked at', async () => {
    const { clock, brokers, fetching } = await start([[0, 1]]);
    const until = clock.monotonic() + 99;
    brokers.to(1).fail(new Error('away'));
    await clock.advance(0);
    expect(brokers.open).toEqual([]);
    clock.edge = until;
    fetching.wake();
    await clock.advance(1000);
    expect(asks(brokers.open)).toEqual({ 1: { 0: 0 } });
  });

  it('lets each partition be the first in its turn', async () => {
    const { clock, brokers } = await start([
      [0, 1],
      [1, 1],
      [2, 2],
      [3, 2],
    ]);
    for (let n = 0; n < 3; n++) {
      brokers.to(1).answer();
      brokers.to(2).answer();
      await clock.advance(0);
    }
    const firsts = (of: number) =>
      brokers.asked.filter(({ node }) => node === of).map(({ positions }) => [...positions.keys()][0]);
    expect(firsts(1)).toEqual([0, 1, 0, 1]);
    expect(firsts(2)).toEqual([2, 3, 2, 3]);
  });

  it('gives each its turn also when all are paused after each request', async () => {
    const { clock, brokers, target, fetching } = await start([
      [0, 1],
      [1, 1],
    ]);
    for (let n = 0; n < 3; n++) {
      target.paused.add(0).add(1);
      brokers.to(1).answer();
      await clock.advance(0);
      target.paused.clear();
      fetching.wake();
      await clock.advance(0);
    }
    expect(brokers.asked.map(({ positions }) => [...positions.keys()][0])).toEqual([0, 1, 0, 1]);
  });

  it('follows a partition to its new leader, in one request at a time', async () => {
    const { clock, brokers, target } = await start([
      [0, 1],
      [1, 2],
    ]);
    brokers.next = new Map([
      [0, 2],
      [1, 2],
    ]);
    brokers.to(1).refuse(0, NOT_LEADER);
    brokers.to(1).answer();
    await clock.advance(0);
    expect(target.failures).toEqual([{ partitions: [0], code: 'KAFKA_NO_LEADER' }]);
    expect(brokers.refreshes).toBe(0);
    await clock.advance(100);
    expect(brokers.refreshes).toBe(1);
    // Its new leader is busy with a request still.
    expect(asks(brokers.open)).toEqual({ 2: { 1: 0 } });
    brokers.to(2).answer();
    await clock.advance(0);
    expect(asks(brokers.open)).toEqual({ 2: { 0: 0, 1: 1 } });
  });

  it('begins with a leader that was none before', async () => {
    const { clock, brokers } = await start([
      [0, 1],
      [1, 1],
    ]);
    brokers.leaders = new Map([
      [0, 1],
      [1, 3],
    ]);
    brokers.to(1).answer();
    await clock.advance(0);
    expect(asks(brokers.open)).toEqual({ 3: { 1: 1 }, 1: { 0: 1 } });
  });

  it('does not ask for a partition that another leader is asked for at the moment', async () => {
    const { clock, brokers, target } = await start([
      [0, 1],
      [1, 2],
    ]);
    brokers.leaders = new Map([
      [0, 2],
      [1, 2],
    ]);
    brokers.to(2).answer();
    await clock.advance(0);
    expect(asks(brokers.open)).toEqual({ 1: { 0: 0 }, 2: { 1: 1 } });
    brokers.to(1).answer();
    await clock.advance(0);
    brokers.to(2).answer();
    await clock.advance(0);
    expect(asks(brokers.open)).toEqual({ 2: { 0: 1, 1: 2 } });
    expect(target.failures).toEqual([]);
  });

  it('wakes a leader that was idle when a partition comes to it, also one that was still asked for elsewhere', async () => {
    const { clock, brokers, target } = await start([
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
    target.paused.add(1);
    brokers.to(2).answer();
    await clock.advance(0);
    // Somebody else has heard of the new leaders; the third one's loop sees them first.
    brokers.leaders = new Map([
      [0, 2],
      [1, 2],
      [2, 3],
    ]);
    brokers.to(3).answer();
    await clock.advance(0);
    expect(asks(brokers.open)).toEqual({ 1: { 0: 0 }, 3: { 2: 1 } });
    brokers.to(1).answer();
    await clock.advance(0);
    expect(asks(brokers.open)).toEqual({ 2: { 0: 1 }, 3: { 2: 1 } });
  });

  it('wakes a leader that was idle when a partition comes to it after a rest', async () => {
    const { clock, brokers, target } = await start([
      [0, 1],
      [1, 2],
      [2, 1],
    ]);
    target.paused.add(1);
    brokers.to(2).answer();
    brokers.to(1).refuse(0, NOT_LEADER);
    brokers.next = new Map([
      [0, 2],
      [1, 2],
      [2, 1],
    ]);
    brokers.to(1).answer();
    await clock.advance(100);
    expect(asks(brokers.open)).toEqual({ 1: { 2: 1 } });
    brokers.to(1).answer();
    await clock.advance(0);
    expect(asks(brokers.open)).toEqual({ 1: { 2: 2 }, 2: { 0: 0 } });
  });

  it('waits with backoff for a partition that nobody leads, and fetches when somebody does', async () => {
    const { clock, brokers, target } = await start([
      [0, -1],
      [1, 2],
    ]);
    expect(target.failures).toEqual([{ partitions: [0], code: 'KAFKA_NO_LEADER' }]);
    await clock.advance(100 + 200 + 400);
    expect(target.failures).toHaveLength(4);
    expect(brokers.refreshes).toBe(3);
    brokers.next = new Map([
      [0, 2],
      [1, 2],
    ]);
    await clock.advance(400);
    brokers.to(2).answer();
    await clock.advance(0);
    expect(asks(brokers.open)).toEqual({ 2: { 0: 0, 1: 1 } });
  });

  it('fails a request for all its partitions and asks for them together again', async () => {
    const { clock, brokers, target } = await start([
      [0, 1],
      [1, 1],
      [2, 2],
    ]);
    brokers.to(1).fail(Object.assign(new Error('gone'), { name: 'KafkaJSConnectionClosedError' }));
    await clock.advance(0);
    expect(target.failures).toEqual([{ partitions: [0, 1], code: 'KAFKA_UNREACHABLE' }]);
    await clock.advance(98);
    expect(asks(brokers.open)).toEqual({ 2: { 2: 0 } });
    await clock.advance(2);
    expect(asks(brokers.open)).toEqual({ 2: { 2: 0 }, 1: { 0: 0, 1: 0 } });
    expect(brokers.refreshes).toBe(1);
  });

  it('rests one partition and goes on with the others of its leader', async () => {
    const { clock, brokers, target } = await start([
      [0, 1],
      [1, 1],
    ]);
    brokers.to(1).refuse(1, 2);
    brokers.to(1).answer();
    await clock.advance(0);
    expect(target.failures).toHaveLength(1);
    expect(asks(brokers.open)).toEqual({ 1: { 0: 1 } });
    brokers.to(1).answer();
    await clock.advance(0);
    expect(asks(brokers.open)).toEqual({ 1: { 0: 2 } });
    await clock.advance(100);
    brokers.to(1).answer();
    await clock.advance(0);
    expect(asks(brokers.open)).toEqual({ 1: { 0: 3, 1: 0 } });
  });

  it('rests when a part of a batch is all that comes, but only where a whole one was to come', async () => {
    const { clock, brokers, target } = await start([
      [0, 1],
      [1, 1],
    ]);
    brokers.cutsOff = true;
    brokers.to(1).answer();
    await clock.advance(0);
    expect(target.failures).toEqual([{ partitions: [0], code: 'KAFKA_CORRUPT' }]);
    // The other one was not the first: its batch may have found no room.
    expect(asks(brokers.open)).toEqual({ 1: { 1: 0 } });
    brokers.cutsOff = false;
    brokers.to(1).answer();
    await clock.advance(100);
    brokers.to(1).answer();
    await clock.advance(0);
    expect(target.next).toEqual(new Map([[1, 2]]));
    expect(asks(brokers.open)).toEqual({ 1: { 0: 0, 1: 2 } });
  });

  it('asks for nothing while everything is paused, and at once when it is woken', async () => {
    const { clock, brokers, target, fetching } = await start([
      [0, 1],
      [1, 1],
    ]);
    target.paused.add(0).add(1);
    brokers.to(1).answer();
    await clock.advance(60_000);
    expect(brokers.asked).toHaveLength(1);
    expect(clock.sleeping).toBe(0);
    target.paused.delete(1);
    fetching.wake();
    await clock.advance(0);
    expect(asks(brokers.open)).toEqual({ 1: { 1: 1 } });
  });

  it('tells what is out of range with the bounds, and rests when the same is asked for again', async () => {
    const { clock, brokers, target } = await start([[0, 1]]);
    brokers.bounds = { start: 5, end: 9 };
    const refuse = async () => {
      brokers.to(1).refuse(0, OUT_OF_RANGE);
      brokers.to(1).answer();
      await clock.advance(0);
    };
    await refuse();
    expect(target.outOfRanges).toEqual([{ partition: 0, position: 0, bounds: { start: 5, end: 9 } }]);
    expect(asks(brokers.open)).toEqual({ 1: { 0: 0 } });
    await refuse();
    expect(brokers.open).toEqual([]);
    target.next.set(0, 5);
    await clock.advance(100);
    expect(asks(brokers.open)).toEqual({ 1: { 0: 5 } });
    brokers.to(1).answer();
    await clock.advance(0);
    expect(target.next.get(0)).toBe(6);
  });

  it('hands on nothing any more when it has ended, and does not wait for what is under way', async () => {
    const { clock, brokers, target, ended, run } = await start([[0, 1]]);
    ended.abort();
    await run;
    brokers.to(1).answer();
    await clock.advance(10_000);
    expect(target.batches).toEqual([]);
    expect(brokers.asked).toHaveLength(1);
  });

  it('rejects with what its target throws', async () => {
    const { clock, brokers, target, run } = await start([[0, 1]]);
    target.took = () => {
      throw new Error('the target is broken');
    };
    brokers.to(1).answer();
    await clock.advance(0);
    await expect(run).rejects.toThrow('the target is broken');
  });
});
