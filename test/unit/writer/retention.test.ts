import { describe, expect, it } from 'vitest';
import type { LogFields } from '../../../src/lib/log.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { letOldRowsGo } from '../../../src/writer/retention.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { lost } from './writing.ts';

const DAY = 86_400_000;

function janitor(answers: (number | Error)[], keep = DAY) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const asked: number[] = [];
  const logged: LogFields[] = [];
  const expire = async (before: number) => {
    asked.push(clock.now() - before);
    const answer = answers.shift() ?? 0;
    if (answer instanceof Error) throw answer;
    clock.pass(50);
    return answer;
  };
  const log = {
    ...silentLog,
    info: (fields: LogFields) => logged.push(fields),
    warn: (fields: LogFields) => logged.push(fields),
  };
  const ended = letOldRowsGo({ expire, keep, clock, log }, stop.signal);
  return { clock, stop, asked, logged, ended };
}

describe('old rows', () => {
  it('go a few at a time, with rests in between, until none are left', async () => {
    const { clock, stop, asked, logged, ended } = janitor([4000, 4000, 10]);
    await clock.advance(199);
    expect(asked).toHaveLength(1);
    await clock.advance(1000);
    expect(asked).toEqual([DAY, DAY, DAY, DAY]);
    expect(logged).toEqual([{ event: 'rows_expired', rows: 8010 }]);
    await clock.advance(60_000);
    expect(asked).toHaveLength(5);
    stop.abort();
    await ended;
  });

  it('stay where the database is away, until it is back', async () => {
    const { clock, stop, asked, logged, ended } = janitor([lost(), 3]);
    await clock.advance(60_000);
    expect(logged).toMatchObject([{ event: 'retention_failed' }]);
    await clock.advance(1000);
    expect(asked).toHaveLength(3);
    stop.abort();
    await ended;
  });

  it('are kept for ever where that is asked for', async () => {
    const { asked, ended } = janitor([1], 0);
    await ended;
    expect(asked).toEqual([]);
  });
});
