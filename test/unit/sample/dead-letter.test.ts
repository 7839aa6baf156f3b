import { describe, expect, it } from 'vitest';
import {
  type DeadLetterNotice,
  deadLetterHeaders,
  type HeaderValues,
  originalHeaders,
  originText,
  parseOriginText,
  readDeadLetterHeaders,
  replayMarkHeaders,
} from '../../../src/sample/dead-letter.ts';

const origin = { topic: 'server-metrics', partition: 3, epoch: 0, offset: 1042 };
const notice: DeadLetterNotice = {
  origin,
  reason: 'value: not JSON',
  code: 'SAMPLE_INVALID',
  timestamp: 1_700_000_000_123,
  truncated_from: null,
};

function asRead(headers: Readonly<Record<string, string>>): HeaderValues {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [Buffer.from(value)]]));
}

describe('the headers of a dead letter', () => {
  it('come back as they were written', () => {
    expect(readDeadLetterHeaders(asRead(deadLetterHeaders(notice)))).toEqual(notice);
    const cut = { ...notice, origin: { ...origin, epoch: 2 }, timestamp: null, truncated_from: 1_048_576 };
    expect(readDeadLetterHeaders(asRead(deadLetterHeaders(cut)))).toEqual(cut);
  });

  it('are those of a mark once it was sent back', () => {
    const mark = { origin, replayed_at: 1_700_000_001_000 };
    expect(readDeadLetterHeaders(asRead(replayMarkHeaders(mark)))).toEqual(mark);
  });

  it('are told from those of other records', () => {
    expect(readDeadLetterHeaders({})).toBeUndefined();
    const { 'hostspool-offset': _, ...rest } = deadLetterHeaders(notice);
    expect(readDeadLetterHeaders(asRead(rest))).toBeUndefined();
    expect(readDeadLetterHeaders(asRead({ ...rest, 'hostspool-offset': '-1' }))).toBeUndefined();
    expect(readDeadLetterHeaders(asRead({ ...rest, 'hostspool-offset': '99999999999999999999' }))).toBeUndefined();
  });

  it('hold a reason that can be sent, whatever the message had in it', () => {
    expect(deadLetterHeaders({ ...notice, reason: 'has \ud800' })['hostspool-reason']).toBe('has \ufffd');
  });

  it('are taken off to get the message as it came', () => {
    const own = { trace: [Buffer.from('a'), Buffer.from('b')] };
    expect(originalHeaders({ ...own, ...asRead(deadLetterHeaders({ ...notice, truncated_from: 5 })) })).toEqual(own);
  });
});

describe('the text of an origin', () => {
  it('names the epoch only where there was more than one', () => {
    expect(originText(origin)).toBe('3:1042');
    expect(originText({ ...origin, epoch: 1 })).toBe('3:1042@1');
  });

  it('is read again', () => {
    expect(parseOriginText('3:1042')).toEqual({ partition: 3, epoch: 0, offset: 1042 });
    expect(parseOriginText(' 0:0@2 ')).toEqual({ partition: 0, epoch: 2, offset: 0 });
    for (const text of ['', '3', '3:', ':1', '3:-1', '3:1@', '3:1.5', '3:99999999999999999']) {
      expect(parseOriginText(text)).toBeUndefined();
    }
  });
});
