import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { sinkError } from '../../../src/sink/sqlite/errors.ts';

const thrown = (code: string) => Object.assign(new Error(`about ${code}`), { code });

describe('what SQLite throws', () => {
  it.each([
    ['SQLITE_BUSY', 'SINK_LOCKED', true],
    ['SQLITE_BUSY_SNAPSHOT', 'SINK_LOCKED', true],
    ['SQLITE_FULL', 'SINK_FULL', true],
    ['SQLITE_IOERR_WRITE', 'SINK_UNAVAILABLE', true],
    ['SQLITE_CANTOPEN', 'SINK_UNAVAILABLE', true],
    ['ENOSPC', 'SINK_UNAVAILABLE', true],
    ['SQLITE_READONLY_DIRECTORY', 'SINK_READ_ONLY', false],
    ['SQLITE_CORRUPT_INDEX', 'SINK_CORRUPT', false],
    ['SQLITE_NOTADB', 'SINK_CORRUPT', false],
    ['SQLITE_CONSTRAINT_CHECK', 'SINK_DATA', false],
    ['SQLITE_ERROR', 'SINK_FAILED', false],
  ])('%s becomes %s', (code, expected, retryable) => {
    const error = sinkError(thrown(code), '/var/lib/metrics.db');
    expect(error).toMatchObject({ code: expected, retryable });
    expect(error.message).toContain('/var/lib/metrics.db');
    expect(error.message).toContain(`about ${code}`);
  });

  it('stays what it is when it is one of ours', () => {
    const error = new HostspoolError('SINK_NEWER_SCHEMA', 'newer');
    expect(sinkError(error, 'x')).toBe(error);
  });

  it('may be anything', () => {
    expect(sinkError('a text', 'x')).toMatchObject({ code: 'SINK_FAILED', retryable: false });
    expect(sinkError(undefined, 'x')).toMatchObject({ code: 'SINK_FAILED' });
  });
});
