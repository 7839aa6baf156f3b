/**
 * A broker that breaks off at each byte of what it says, says something else, or falls silent there, before a producer and
 * before a member of a group: what is thrown are errors of the port, in time; nothing is taken twice or left out.
 */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KafkaProducer } from '../../src/kafka/producer.ts';
import { SystemClock } from '../../src/lib/clock.ts';
import { HostspoolError } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createTopic } from '../support/broker.ts';
import { kafkaSettings, readTopic, testBroker, uniqueTopic } from '../support/broker-client.ts';
import { FUZZ_LIMIT, places, runs } from '../support/fuzz.ts';
import { GroupMember } from '../support/group-member.ts';
import { hostAndPort } from '../support/proxy.ts';
import { type Tampering, TamperingProxy } from '../support/tampering-proxy.ts';

const { addresses, missing } = testBroker();
const { bootstrap, proxied, proxyTarget } = addresses;
const SOON = { timeout: 30_000, interval: 10 };
type Limits = Readonly<Record<string, unknown>>;
const SHORT = { connect_timeout: '700ms', request_timeout: '700ms' };
/** What a busy machine adds to a time limit, ms. */
const LATE = 20_000;
const ATTEMPTS = 10;
const MESSAGES = 30;

const lie = fc.record({
  do: fc.constantFrom('overwrite' as const, 'insert' as const),
  at: fc.nat(1500),
  bytes: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 12 }),
    // Lengths that lie: none, a negative one, one beyond reason.
    fc.constantFrom(
      Buffer.alloc(4),
      Buffer.alloc(4, 0xff),
      Buffer.from([0x7f, 0xff, 0xff, 0xff]),
      Buffer.from([1, 0, 0, 0]),
    ),
    fc.constantFrom(Buffer.alloc(2000, 0xff), Buffer.alloc(2000), Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')),
  ),
});

describe.skipIf(missing !== undefined)(`a broker that is not to be trusted (${missing ?? bootstrap})`, () => {
  let proxy: TamperingProxy;
  let topic: string;

  beforeAll(async () => {
    proxy = await TamperingProxy.listen(proxyTarget, hostAndPort(proxied).port);
    topic = uniqueTopic();
    await createTopic(bootstrap, topic, { partitions: 2 });
  });

  afterAll(() => proxy[Symbol.asyncDispose]());

  /** A producer of its own sends until it is acknowledged; answers what it met on the way. */
  async function send(value: string, tampering?: Tampering, limits: Limits = {}): Promise<HostspoolError[]> {
    const producer = KafkaProducer.create(kafkaSettings(proxied, limits), silentLog, new SystemClock());
    const errors: HostspoolError[] = [];
    proxy.tamper(tampering);
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        try {
          await producer.send(topic, [{ key: 'web-1', value }]);
          return errors;
        } catch (error) {
          if (!(error instanceof HostspoolError)) throw error;
          expect(error.code).toMatch(/^KAFKA_/);
          errors.push(error);
        }
      }
      throw new Error(`not acknowledged after ${ATTEMPTS} attempts`, { cause: errors.at(-1) });
    } finally {
      await producer.close();
    }
  }

  it(
    'closes at any byte of its answers to a producer costs attempts, and what was acknowledged is there',
    async () => {
      await send('first');
      const { passed } = proxy;
      const values = ['first'];
      for (const at of places(passed, 40)) {
        values.push(`cut at ${at} of ${passed}`);
        const errors = await send(values.at(-1) as string, { do: 'cut', at });
        expect(proxy.isArmed, values.at(-1)).toBe(false);
        for (const { code, retryable } of errors)
          expect([code, retryable], values.at(-1)).toEqual(['KAFKA_UNREACHABLE', true]);
      }
      const there = new Set((await readTopic(bootstrap, topic)).map(({ value }) => value));
      expect(values.filter((value) => !there.has(value))).toEqual([]);
    },
    FUZZ_LIMIT,
  );

  it(
    'falls silent at any byte of its answers to a producer is given up in time',
    async () => {
      await send('first');
      const { passed } = proxy;
      for (const at of places(passed, 3)) {
        const errors = await send(`silent at ${at} of ${passed}`, { do: 'silence', at }, SHORT);
        expect(
          errors.map(({ code }) => code),
          `byte ${at}`,
        ).toContain('KAFKA_TIMEOUT');
      }
    },
    FUZZ_LIMIT,
  );

  it(
    'lies to a producer is met with errors, in time, and believed again when it tells the truth',
    async () => {
      const property = fc.asyncProperty(lie, async (tampering) => {
        const began = performance.now();
        await send('a lie', tampering, SHORT);
        expect(performance.now() - began).toBeLessThan(ATTEMPTS * 700 + LATE);
      });
      // So the broker offers no produce request that carries record batches.
      const zeroes = { do: 'overwrite' as const, bytes: Buffer.alloc(4) };
      await fc.assert(property, { ...runs(25), examples: [[{ ...zeroes, at: 186 }], [{ ...zeroes, at: 282 }]] });
    },
    FUZZ_LIMIT,
  );

  describe('to a member of a group', () => {
    const sent = Array.from({ length: MESSAGES }, (_, n) => `value ${n}`);
    let log: string;

    beforeAll(async () => {
      log = uniqueTopic();
      await createTopic(bootstrap, log, { partitions: 2 });
      const producer = KafkaProducer.create(kafkaSettings(bootstrap), silentLog, new SystemClock());
      for (const value of sent) await producer.send(log, [{ key: value, value }]);
      await producer.close();
    });

    function join(limits: Limits = {}): GroupMember {
      const settings = { topic: log, group: `hostile-${randomUUID()}`, session_timeout: '10s', ...limits };
      return GroupMember.start({ settings: kafkaSettings(proxied, settings) });
    }

    async function readAll(tampering?: Tampering, limits: Limits = {}): Promise<HostspoolError[]> {
      proxy.tamper(tampering);
      await using member = join(limits);
      await expect.poll(() => member.loaded.messages.length, SOON).toBe(MESSAGES);
      expect(member.loaded.values.sort()).toEqual([...sent].sort());
      return member.failures;
    }

    it(
      'closes at any byte costs attempts; each message is taken once',
      async () => {
        await readAll();
        const { passed } = proxy;
        for (const at of places(passed, 12)) {
          const failures = await readAll({ do: 'cut', at }).catch((cause) => {
            throw new Error(`cut at byte ${at} of ${passed}`, { cause });
          });
          for (const { code } of failures) expect(code, `byte ${at}`).toBe('KAFKA_UNREACHABLE');
        }
      },
      FUZZ_LIMIT,
    );

    it(
      'falls silent at any byte is given up in time; each message is taken once',
      async () => {
        await readAll();
        const { passed } = proxy;
        for (const at of places(passed, 2)) {
          await readAll({ do: 'silence', at }, SHORT).catch((cause) => {
            throw new Error(`silent at byte ${at} of ${passed}`, { cause });
          });
        }
      },
      FUZZ_LIMIT,
    );

    it(
      'lies costs that member at the most, and it ends when it is told to',
      async () => {
        const property = fc.asyncProperty(lie, async (tampering) => {
          proxy.tamper(tampering);
          const member = join(SHORT);
          await expect.poll(() => !proxy.isArmed || member.loaded.messages.length > 0, SOON).toBe(true);
          const began = performance.now();
          await member[Symbol.asyncDispose]();
          expect(performance.now() - began).toBeLessThan(LATE);
          for (const error of member.failures) expect(error).toBeInstanceOf(HostspoolError);
        });
        await fc.assert(property, runs(15));
        await readAll();
      },
      FUZZ_LIMIT,
    );
  });
});
