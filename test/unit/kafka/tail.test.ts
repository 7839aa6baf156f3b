import { describe, expect, it } from 'vitest';
import { formatJson, formatLine } from '../../../src/cli/tail.ts';
import type { FollowedMessage } from '../../../src/kafka/follower.ts';

function message(value: string | Buffer | null, more: Partial<FollowedMessage> = {}): FollowedMessage {
  return {
    partition: 2,
    offset: 41,
    key: Buffer.from('web-1'),
    timestamp: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: {},
    ...more,
  };
}

describe('a line of tail', () => {
  it('holds partition, offset, key, timestamp and value', () => {
    expect(formatLine(message('{"cpu_percent":1.5}'))).toBe('2 41 web-1 2026-01-02T03:04:05.678Z {"cpu_percent":1.5}');
  });

  it('shows what is missing as a dash', () => {
    expect(formatLine(message(null, { key: null }))).toBe('2 41 - 2026-01-02T03:04:05.678Z -');
  });

  it('lets no control character of a message reach the terminal, and stays one line', () => {
    const line = formatLine(message('a\nb\u001b[31mred\u0007\u009b2J\u2028'));
    expect(line).toBe('2 41 web-1 2026-01-02T03:04:05.678Z a\\nb\\u001b[31mred\\u0007\\u009b2J\\u2028');
  });
});

describe('a JSON line of tail', () => {
  it('holds the value as it was sent when it is JSON, digit for digit', () => {
    const line = formatJson(message('{"n": 1.0,\n "big": 12345678901234567890}'));
    expect(line).toContain('"value":{"n": 1.0,  "big": 12345678901234567890}');
    expect(line).not.toContain('\n');
    expect(JSON.parse(line)).toMatchObject({
      partition: 2,
      offset: 41,
      key: 'web-1',
      timestamp: '2026-01-02T03:04:05.678Z',
    });
  });

  it('holds any other text as a string, and bytes that are no text as base64', () => {
    expect(JSON.parse(formatJson(message('hello\nthere')))).toMatchObject({ value: 'hello\nthere' });
    expect(JSON.parse(formatJson(message(Buffer.from([0xff, 0x00]))))).toMatchObject({ value_base64: '/wA=' });
    const hostile = '"\u009b2J\u007f \u202e"';
    expect(formatJson(message(hostile))).toContain(String.raw`"value":"\u009b2J\u007f \u202e"`);
    expect(JSON.parse(formatJson(message(hostile)))).toMatchObject({ value: JSON.parse(hostile) });
    expect(JSON.parse(formatJson(message(null)))).toMatchObject({ value: null });
  });

  it('holds the headers', () => {
    const headers = { reason: [Buffer.from('bad')] };
    expect(JSON.parse(formatJson(message('1', { headers })))).toMatchObject({ headers: { reason: 'bad' }, value: 1 });
  });
});
