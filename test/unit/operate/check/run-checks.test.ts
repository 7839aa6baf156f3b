import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../../../src/lib/clock.ts';
import { HostspoolError } from '../../../../src/lib/errors.ts';
import { type Check, failed, ok, unknown, warning } from '../../../../src/operate/check/check.ts';
import { runChecks } from '../../../../src/operate/check/run-checks.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const clock = new SystemClock();

function check(name: Check['name'], run: Check['run'], more: Partial<Check> = {}): Check {
  return { name, limit: 60_000, waitsFor: 'the world', run, ...more };
}

const fine = async () => ok('fine');

async function states(checks: readonly Check[]) {
  const results = await runChecks(checks, clock);
  return results.map(({ name, state, rests_on }) => [name, state, rests_on]);
}

describe('checks', () => {
  it('run side by side where none rests on another', async () => {
    const { promise: met, resolve: meet } = Promise.withResolvers<void>();
    const waiting = check('clock', () => met.then(fine));
    const meeting = check('http', async () => {
      meet();
      return ok('fine');
    });
    const results = await runChecks([waiting, meeting], clock);
    expect(results.map(({ name, state }) => [name, state])).toEqual([
      ['clock', 'ok'],
      ['http', 'ok'],
    ]);
  });

  it('are left out after what they rest on has failed, all the way, and name the first cause', async () => {
    const checks = [
      check('broker.tcp', async () => failed('X', 'gone', 'mend it'), { subject: 'a:1' }),
      check('broker.login', fine, { subject: 'a:1', needs: ['broker.tcp a:1'] }),
      check('cluster', fine, { needsOneOf: ['broker.login a:1'] }),
      check('clock', fine),
    ];
    expect(await states(checks)).toEqual([
      ['broker.tcp', 'failed', null],
      ['broker.login', 'skipped', 'broker.tcp a:1'],
      ['cluster', 'skipped', 'broker.tcp a:1'],
      ['clock', 'ok', null],
    ]);
  });

  it('go on after one of several is in order, and after a warning', async () => {
    const checks = [
      check('broker.login', async () => failed('X', 'gone', 'mend it'), { subject: 'a:1' }),
      check('broker.login', async () => warning('Y', 'well', 'look'), { subject: 'b:1' }),
      check('cluster', fine, { needsOneOf: ['broker.login a:1', 'broker.login b:1'] }),
    ];
    expect((await states(checks)).at(-1)).toEqual(['cluster', 'ok', null]);
  });

  it('are left out where nothing is known, or a warning says that nothing more can be', async () => {
    const checks = [
      check('topic.config', async () => unknown('not told')),
      check('topic.policy', fine, { needs: ['topic.config'] }),
      check('sqlserver.login', async () => ({ ...warning('Z', 'no database', 'wait'), blocks: true })),
      check('sqlserver.schema', fine, { needs: ['sqlserver.login'] }),
    ];
    expect(await states(checks)).toEqual([
      ['topic.config', 'skipped', null],
      ['topic.policy', 'skipped', 'topic.config'],
      ['sqlserver.login', 'warning', null],
      ['sqlserver.schema', 'skipped', 'sqlserver.login'],
    ]);
  });

  it('end at their limit, whoever does not answer, and stop what they began', async () => {
    const fake = new FakeClock();
    let stopped = false;
    const silent = check('broker.tcp', (signal) => {
      signal.addEventListener('abort', () => {
        stopped = true;
      });
      return new Promise(() => undefined);
    });
    const running = runChecks([{ ...silent, limit: 2000 }], fake);
    await expect.poll(() => fake.sleeping).toBe(1);
    await fake.advance(2000);
    const [result] = await running;
    expect(result).toMatchObject({
      state: 'failed',
      code: 'CHECK_TIMEOUT',
      finding: 'the world gave no answer within 2s',
    });
    expect(stopped).toBe(true);
    expect(fake.sleeping).toBe(0);
  });

  it('fail with the code and the hint of what they reject with; a fault of their own hides no other', async () => {
    const checks = [
      check('spool', async () => Promise.reject(new HostspoolError('SPOOL_PERMISSION', 'no', { hint: 'chown' }))),
      check('clock', async () => Promise.reject(new TypeError('a fault'))),
      check('http', fine),
    ];
    const results = await runChecks(checks, clock);
    expect(results).toMatchObject([
      { state: 'failed', code: 'SPOOL_PERMISSION', finding: 'no', hint: 'chown' },
      { state: 'failed', code: 'INTERNAL', finding: 'unexpected error: a fault' },
      { state: 'ok' },
    ]);
  });

  it('rest on none that comes later or does not exist', async () => {
    await expect(runChecks([check('cluster', fine, { needs: ['topic'] })], clock)).rejects.toThrow('no check topic');
  });
});
