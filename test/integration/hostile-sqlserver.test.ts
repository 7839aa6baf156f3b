/**
 * A server that breaks off at each byte of what it says, says something else, or falls silent there: a load is repeated
 * and everything is there once; nothing throws but errors of the port, nothing waits beyond its limit.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../src/lib/errors.ts';
import { FUZZ_LIMIT, places, runs } from '../support/fuzz.ts';
import { expectAll, FIRST, LOG } from '../support/load-story.ts';
import { loadPersistently } from '../support/persistent-loader.ts';
import { SqlServerFixture } from '../support/sqlserver-fixture.ts';
import { type Tampering, TamperingProxy } from '../support/tampering-proxy.ts';
import { message, uuid } from '../unit/sink/a-load.ts';

/** As `loadPersistently` has it. */
const MOST_ATTEMPTS = 8;
const LIMITS = { connect_timeout: 1000, request_timeout: 1000 };
/** What a busy machine adds to a time limit, ms. */
const LATE = 20_000;

async function story(tampering: Tampering | undefined, limits: Partial<typeof LIMITS> = {}) {
  await using fixture = await SqlServerFixture.open();
  await using proxy = await TamperingProxy.listen(`127.0.0.1:${fixture.server.port}`);
  const sink = fixture.another({ port: proxy.port, ...limits });
  proxy.tamper(tampering);
  const first = await loadPersistently(sink, FIRST);
  const rest = await loadPersistently(sink, LOG);
  expectAll(fixture);
  return { errors: [...first.errors, ...rest.errors], passed: proxy.passed, isArmed: proxy.isArmed };
}

describe('a database server that', () => {
  it(
    'closes at any byte of its answers costs a repetition and nothing else',
    async () => {
      const { passed } = await story(undefined);
      for (const at of places(passed, 25)) {
        const { errors, isArmed } = await story({ do: 'cut', at }).catch((cause) => {
          throw new Error(`cut at byte ${at} of ${passed}`, { cause });
        });
        expect(isArmed).toBe(false);
        for (const error of errors)
          expect(error, `byte ${at}`).toMatchObject({ code: 'SINK_UNAVAILABLE', retryable: true });
      }
    },
    FUZZ_LIMIT,
  );

  it(
    'falls silent at any byte of its answers is given up after the time limit',
    async () => {
      const { passed } = await story(undefined);
      for (const at of places(passed, 2)) {
        const { errors } = await story({ do: 'silence', at }, LIMITS).catch((cause) => {
          throw new Error(`silent at byte ${at} of ${passed}`, { cause });
        });
        expect(errors.map(({ code, retryable }) => [code, retryable])).toContainEqual(['SINK_TIMEOUT', true]);
      }
    },
    FUZZ_LIMIT,
  );

  it('falls silent between two packets of an answer is given up as well', async () => {
    await using fixture = await SqlServerFixture.open();
    const runs = Array.from({ length: 400 }, (_, run) => message(run, 1));
    await loadPersistently(fixture.sink, runs);
    await using proxy = await TamperingProxy.listen(`127.0.0.1:${fixture.server.port}`);
    const sink = fixture.another({ port: proxy.port, ...LIMITS });
    const ids = Array.from({ length: 400 }, (_, run) => uuid(run));
    expect((await sink.readAccounts(ids)).size).toBe(400);
    proxy.tamper();
    await sink.readAccounts(ids);
    const { passed } = proxy;
    expect(passed).toBeGreaterThan(5 * 4096);
    proxy.tamper({ do: 'silence', at: Math.floor(passed / 2) });
    await expect(sink.readAccounts(ids)).rejects.toMatchObject({ code: 'SINK_TIMEOUT', retryable: true });
    expect((await sink.readAccounts(ids)).size).toBe(400);
  });

  it(
    'says anything at any place is met with an error in bounded time, and the next connection is sound',
    async () => {
      const tampering = fc.record({
        do: fc.constantFrom('overwrite' as const, 'insert' as const),
        at: fc.nat(4000),
        bytes: fc.oneof(
          fc.uint8Array({ minLength: 1, maxLength: 40 }),
          fc.constantFrom(
            Buffer.alloc(3000, 0xff),
            Buffer.alloc(3000),
            Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
          ),
        ),
      });
      const property = fc.asyncProperty(tampering, async (given) => {
        await using fixture = await SqlServerFixture.open();
        await using proxy = await TamperingProxy.listen(`127.0.0.1:${fixture.server.port}`);
        const sink = fixture.another({ port: proxy.port, ...LIMITS });
        proxy.tamper(given);
        const began = performance.now();
        await attempts(sink);
        expect(performance.now() - began).toBeLessThan(MOST_ATTEMPTS * 2 * LIMITS.request_timeout + LATE);
        proxy.tamper();
        await sink.close();
        const sound = fixture.another({ port: proxy.port });
        await sound.readOffsets({ group: 'test', topic: 'server-metrics' }, [0]);
        await sound.close();
        expect(fixture.server.committed.duplicates()).toBe(0);
      });
      await fc.assert(property, runs(15));
    },
    FUZZ_LIMIT,
  );
});

/** What comes of it may be anything: the client was lied to. What is thrown may not. */
async function attempts(sink: SqlServerFixture['sink']): Promise<void> {
  try {
    await loadPersistently(sink, FIRST);
    await loadPersistently(sink, LOG);
  } catch (thrown) {
    const cause = (thrown as Error).cause ?? thrown;
    if (!(cause instanceof HostspoolError)) throw thrown;
    expect(cause.code).toMatch(/^SINK_/);
  }
}
