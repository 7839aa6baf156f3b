/** What SQLite threw, as the error that the port promises: its code says what to do, and `retryable` whether to wait. */
import { asError, errorCode, HostspoolError } from '../../lib/errors.ts';

interface Kind {
  readonly pattern: RegExp;
  readonly code: string;
  readonly what: string;
  readonly retryable: boolean;
  readonly hint?: string;
}

const KINDS: readonly Kind[] = [
  {
    pattern: /^SQLITE_(BUSY|LOCKED|PROTOCOL)/,
    code: 'SINK_LOCKED',
    what: 'another process holds the database',
    retryable: true,
  },
  {
    pattern: /^SQLITE_FULL/,
    code: 'SINK_FULL',
    what: 'there is no room left for the database',
    retryable: true,
    hint: 'free space on its filesystem; loading goes on by itself',
  },
  {
    pattern: /^SQLITE_(READONLY|PERM|AUTH)/,
    code: 'SINK_READ_ONLY',
    what: 'the database may not be written',
    retryable: false,
    hint: 'let this user write the database file and its directory, and the filesystem be writable',
  },
  {
    pattern: /^SQLITE_(CORRUPT|NOTADB)/,
    code: 'SINK_CORRUPT',
    what: 'the file is damaged or is no SQLite database',
    retryable: false,
    hint: 'move the file away; a new one is made',
  },
  {
    pattern: /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE)/,
    code: 'SINK_DATA',
    what: 'the database refused the data',
    retryable: false,
  },
  {
    pattern: /^(SQLITE_(IOERR|CANTOPEN|NOMEM)|E[A-Z]+$)/,
    code: 'SINK_UNAVAILABLE',
    what: 'the database cannot be reached',
    retryable: true,
    hint: 'check that the directory of the database is there, and its disk',
  },
];

export function sinkError(thrown: unknown, path: string): HostspoolError {
  if (thrown instanceof HostspoolError) return thrown;
  const error = asError(thrown);
  const kind = KINDS.find(({ pattern }) => pattern.test(errorCode(error) ?? ''));
  const message = `${path}: ${kind?.what ?? 'the database failed'} (${error.message})`;
  return new HostspoolError(kind?.code ?? 'SINK_FAILED', message, {
    retryable: kind?.retryable ?? false,
    cause: error,
    ...(kind?.hint === undefined ? {} : { hint: kind.hint }),
  });
}
