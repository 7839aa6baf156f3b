import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { openLog } from '../../../src/ops/log.ts';

/** Control characters but the line break, and what turns the direction of a line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

async function open(level: 'info' | 'debug' = 'info') {
  const lines: Record<string, unknown>[] = [];
  const log = await openLog(
    { level, format: 'json', stats_interval: 0 },
    { write: (text: string) => void lines.push(JSON.parse(text)) },
  );
  return { log, lines };
}

describe('the log', () => {
  it('writes one JSON object a line with level name, time and event', async () => {
    const { log, lines } = await open();
    log.warn({ event: 'ship_failed', failures: 3 }, 'shipping failed');
    expect(lines).toEqual([
      expect.objectContaining({ level: 'warn', event: 'ship_failed', failures: 3, msg: 'shipping failed' }),
    ]);
    expect(Date.parse(String(lines[0]?.time))).not.toBeNaN();
  });

  it('shows an error with its code, hint and causes', async () => {
    const { log, lines } = await open();
    const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    log.error({
      event: 'x',
      err: new HostspoolError('KAFKA_UNREACHABLE', 'no broker', { hint: 'start one', retryable: true, cause }),
    });
    expect(lines[0]?.err).toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      message: 'no broker',
      hint: 'start one',
      retryable: true,
      cause: { code: 'ECONNREFUSED' },
    });
  });

  it.each(['json', 'pretty'] as const)('gives a terminal nothing of others that it would obey: %s', async (format) => {
    const written = new PassThrough({ encoding: 'utf8' });
    const log = await openLog({ level: 'info', format, stats_interval: 0 }, written);
    const hostile = 'a\u001b[2J\u009b2J\u202e\u0007\b\\u001b "b"\r';
    log.error({ event: 'x', broker: hostile, err: new Error(hostile) }, hostile);
    const text = String((await once(written, 'data'))[0]);
    expect(text).not.toMatch(UNSAFE);
    expect(text).toContain('\\u009b2J');
    if (format === 'json') expect(JSON.parse(text)).toMatchObject({ broker: hostile, msg: hostile });
    else expect(text).toContain('a\\u001b[2J\\u009b2J\\u202e\\u0007\\b\\u001b "b"\\r');
  });

  it('keeps each event on one line, whatever is in it', async () => {
    const { log, lines } = await open();
    const text = 'web-1\n{"level":"fatal"}\r\u2028\u001b[2J';
    log.warn({ event: 'x', host: text, [text]: 1, err: new Error(text) }, text);
    const [line, ...more] = lines;
    expect(more).toEqual([]);
    expect(line).toMatchObject({ level: 'warn', host: text, msg: text });
  });

  it('masks secrets wherever they turn up', async () => {
    const { log, lines } = await open();
    log.info({ event: 'x', password: 'pass-1', sasl: { password: 'pass-2' }, kafka: { sasl: { password: 'pass-3' } } });
    expect(JSON.stringify(lines)).not.toMatch(/pass-\d/);
  });

  it('changes its level live', async () => {
    const { log, lines } = await open();
    log.debug({ event: 'quiet' });
    log.setLevel('debug');
    log.debug({ event: 'loud' });
    expect(lines.map((line) => line.event)).toEqual(['loud']);
  });
});
