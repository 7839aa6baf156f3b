import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { StatsLine } from '../../../src/ops/stats.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const lines: Record<string, unknown>[] = [];
const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
let stats: StatsLine;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  lines.length = 0;
  stats = new StatsLine(() => ({ totals: {}, counts: {}, means: {}, gauges: {} }), new FakeClock(), log);
});

afterEach(() => {
  stats.close();
  vi.useRealTimers();
});

it('settings that are taken over more often than a line is due keep none away', () => {
  stats.every(60_000);
  for (let reload = 0; reload < 8; reload++) {
    vi.advanceTimersByTime(15_000);
    stats.every(60_000);
  }
  expect(lines.map(({ event }) => event)).toEqual(['stats', 'stats']);
});

it('another interval takes the place of the one before, and 0 ends the lines', () => {
  stats.every(60_000);
  stats.every(10_000);
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(6);
  stats.every(0);
  vi.advanceTimersByTime(600_000);
  expect(lines).toHaveLength(6);
});

it('once closed it begins anew when it is asked to', () => {
  stats.every(10_000);
  stats.close();
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(0);
  stats.every(10_000);
  vi.advanceTimersByTime(10_000);
  expect(lines).toHaveLength(1);
});
