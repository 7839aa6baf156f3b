import { describe, expect, it } from 'vitest';
import {
  countArgument,
  durationArgument,
  listArgument,
  parseCount,
  textArgument,
  timeArgument,
} from '../../../src/cli/argument-values.ts';
import { selectionOf } from '../../../src/cli/dead-letter-options.ts';
import { lagThresholds } from '../../../src/cli/lag.ts';
import { isMonitoring } from '../../../src/cli/monitoring.ts';

const NOW = Date.UTC(2026, 0, 1);
const usage = (message: string) => expect.objectContaining({ code: 'USAGE', message });

describe('values of options', () => {
  it('are read as what they are to be', () => {
    expect(countArgument({ max: '1000' }, 'max')).toBe(1000);
    expect(durationArgument({ age: '90s' }, 'age')).toBe(90_000);
    expect(textArgument({ host: 'web-1' }, 'host')).toBe('web-1');
    expect(timeArgument({ since: '2h' }, 'since', NOW)).toBe(NOW - 7_200_000);
    expect(timeArgument({ since: '2025-12-31T12:00:00Z' }, 'since', NOW)).toBe(NOW - 43_200_000);
    expect(listArgument({ partition: ['1,2', '5'] }, 'partition', parseCount, 'a number')).toEqual([1, 2, 5]);
    expect(listArgument({ partition: '7' }, 'partition', parseCount, 'a number')).toEqual([7]);
    expect(countArgument({}, 'max')).toBeUndefined();
    expect(listArgument({}, 'partition', parseCount, 'a number')).toBeUndefined();
  });

  it('are refused by the name of their option', () => {
    expect(() => countArgument({ max: '-1' }, 'max')).toThrow(usage('--max=-1 is not a whole number'));
    expect(() => countArgument({ max: '1.5' }, 'max')).toThrow(usage('--max=1.5 is not a whole number'));
    expect(() => countArgument({ max: ['1', '2'] }, 'max')).toThrow(usage('--max is there more than once'));
    expect(() => durationArgument({ age: '5' }, 'age')).toThrow(
      usage('--age=5 is not a duration, such as 90s, 5m, 1h'),
    );
    expect(() => timeArgument({ since: 'noon' }, 'since', NOW)).toThrow(/^--since=noon is not a time/);
    expect(() => listArgument({ partition: ['1', 'x'] }, 'partition', parseCount, 'a number')).toThrow(
      usage('--partition=x is not a number'),
    );
  });

  it('of a selection of dead letters may be left out, and origins have one writing', () => {
    expect(selectionOf({}, NOW)).toEqual({ host: null, reason: null, since: null, origins: null });
    expect(selectionOf({ origin: ['0:1@0', '2:3@1'], since: '1s' }, NOW)).toEqual({
      host: null,
      reason: null,
      since: NOW - 1000,
      origins: new Set(['0:1', '2:3@1']),
    });
    expect(() => selectionOf({ origin: '5' }, NOW)).toThrow(/^--origin=5 is not an origin/);
  });

  it('make the bounds of the lag, the warning being that of the settings unless it is given', () => {
    expect(lagThresholds({}, 1000)).toEqual({ warnLag: 1000, critLag: null, warnAge: null, critAge: null });
    expect(lagThresholds({}, 0).warnLag).toBeNull();
    expect(lagThresholds({ warn: '0' }, 1000).warnLag).toBeNull();
    expect(lagThresholds({ warn: '5', max: '0', 'warn-age': '1s', 'max-age': '1m' }, 1000)).toEqual({
      warnLag: 5,
      critLag: 0,
      warnAge: 1000,
      critAge: 60_000,
    });
  });
});

describe('the commands for monitoring', () => {
  it('are known however wrong their command line is', () => {
    const commands = ['status', '--status', 'lag --nonsense', 'hosts list x', '--mode=agent --status'];
    for (const line of commands) expect(isMonitoring(line.split(' '))).toBe(true);
    for (const line of ['', 'hosts forget x', 'offsets show', 'drain', 'migrate --status'])
      expect(isMonitoring(line.split(' '))).toBe(false);
  });
});
