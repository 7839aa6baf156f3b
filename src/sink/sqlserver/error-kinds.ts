/**
 * The server's error numbers and what they mean for whoever loads: the code of our error, whether waiting helps, and
 * what a person can do. A number that is not here is SINK_UNKNOWN: it may be the data or the server.
 */
export interface ErrorKind {
  readonly code: string;
  readonly what: string;
  readonly retryable: boolean;
  readonly hint?: string;
}

const kind = (code: string, retryable: boolean, what: string, hint?: string): ErrorKind => {
  return { code, what, retryable, ...(hint === undefined ? {} : { hint }) };
};

export const DATA = kind('SINK_DATA', false, 'the database refused the data');
export const DUPLICATE = kind('SINK_DUPLICATE', true, 'another writer loads the same samples');
export const DEADLOCK = kind('SINK_DEADLOCK', true, 'chosen as the victim of a deadlock');
export const LOCKED = kind('SINK_LOCKED', true, 'another session holds what is needed');
export const FULL = kind(
  'SINK_FULL',
  true,
  'there is no room left for the database or its log',
  'back up or grow the log, or free space on the server; loading goes on by itself',
);
export const READ_ONLY = kind(
  'SINK_READ_ONLY',
  false,
  'the database may not be written',
  'connect to the primary, or take the database out of read-only mode',
);
export const LOGIN = kind(
  'SINK_LOGIN',
  false,
  'the server refused the login',
  'check sqlserver.user and sqlserver.password, and that the login is enabled',
);
export const DATABASE_MISSING = kind(
  'SINK_DATABASE_MISSING',
  false,
  'the database does not exist, or the login may not open it',
  'run `hostspool migrate` as a login that may create databases, and make a user for the writer’s login (sql/roles.sql)',
);
export const PERMISSION = kind(
  'SINK_PERMISSION',
  false,
  'the login lacks a right',
  'add its user to the role hostspool_writer, which sql/roles.sql makes; `hostspool migrate` needs db_ddladmin, db_datareader and db_datawriter beside it',
);
export const SCHEMA_MISSING = kind(
  'SINK_SCHEMA_MISSING',
  false,
  'a table of hostspool is missing',
  'run `hostspool migrate`',
);
export const SCHEMA_OLD = kind(
  'SINK_SCHEMA_OLD',
  false,
  'a column that this version needs is missing',
  'run `hostspool migrate`; if it finds nothing to do, another tool has changed the tables',
);
export const UNAVAILABLE = kind(
  'SINK_UNAVAILABLE',
  true,
  'the server cannot be reached or is not ready',
  'look whether SQL Server runs and listens at sqlserver.host and sqlserver.port; hostspool check --mode=writer looks step by step',
);
export const TIMEOUT = kind(
  'SINK_TIMEOUT',
  true,
  'the server did not answer in time',
  'look for what keeps it busy; sqlserver.request_timeout and sqlserver.connect_timeout are the limits',
);
export const UNKNOWN = kind('SINK_UNKNOWN', false, 'the server refused the request');
export const TLS = kind(
  'SINK_TLS',
  false,
  'no trusted encrypted connection',
  'check sqlserver.encrypt, sqlserver.ca and the server’s certificate',
);

const BY_NUMBER: readonly (readonly [ErrorKind, readonly number[]])[] = [
  [DUPLICATE, [2627, 2601]],
  // 3960: a snapshot's conflict, which only repeating resolves.
  [DEADLOCK, [1205, 3960]],
  [LOCKED, [1222]],
  // Truncation, overflow, constraints, NULL where there must be none, conversions, over-long values in a bulk load.
  [DATA, [2628, 8152, 8115, 220, 232, 547, 515, 245, 241, 242, 8114, 4815, 8016, 7339]],
  // The disk, the log, a quota, tempdb with its row versions, or what a load may take of them on Azure.
  [FULL, [9002, 1101, 1105, 1104, 1132, 1827, 3958, 5149, 40544, 40551, 40552, 40553]],
  [READ_ONLY, [3906, 3908]],
  [LOGIN, [18456, 18452, 18461, 18470, 18486, 18487, 18488]],
  [DATABASE_MISSING, [4060, 4064, 911]],
  [PERMISSION, [229, 230, 262, 297, 300, 371, 916, 1088, 2760, 3704, 4834, 15247]],
  [SCHEMA_MISSING, [208]],
  [SCHEMA_OLD, [207, 213]],
  // Starting, recovering, restoring, failing over, paused, shutting down; Azure moving or throttling; out of memory.
  [
    UNAVAILABLE,
    [
      596, 615, 617, 701, 802, 904, 921, 922, 924, 926, 927, 942, 945, 952, 976, 978, 979, 982, 983, 988, 1204, 3980,
      4221, 6005, 6006, 8628, 8645, 8651, 10928, 10929, 10936, 14355, 17142, 17187, 17188, 17189, 17197, 17809, 18401,
      18451, 40143, 40166, 40197, 40501, 40540, 40613, 42108, 42109, 49918, 49919, 49920,
    ],
  ],
];

const KINDS: ReadonlyMap<number, ErrorKind> = new Map(
  BY_NUMBER.flatMap(([kind, numbers]) => numbers.map((number): [number, ErrorKind] => [number, kind])),
);

/** Babelfish answers many of its errors with one number and PostgreSQL's text. */
export const BABELFISH_ERROR = 33557097;

const BY_TEXT: readonly (readonly [RegExp, ErrorKind])[] = [
  [/duplicate key/i, DUPLICATE],
  [/deadlock|could not serialize/i, DEADLOCK],
  [/lock timeout|could not obtain lock/i, LOCKED],
  [/permission denied|must be owner|not permitted/i, PERMISSION],
  [/overflow|out of range|too long|violates (check|not-null|foreign)|invalid input syntax|null value in/i, DATA],
  [/database .* does not exist/i, DATABASE_MISSING],
  [/column .* does not exist/i, SCHEMA_OLD],
  [/does not exist|invalid object name/i, SCHEMA_MISSING],
  [/read-only/i, READ_ONLY],
  [/could not extend|no space left|disk full/i, FULL],
  [/terminating connection|shutting down|starting up|in recovery|too many (clients|connections)/i, UNAVAILABLE],
];

/** `severity`: the server's class of the error, 11 to 25. */
export function kindOf(number: number, message: string, severity = 16): ErrorKind {
  const known = KINDS.get(number);
  if (known !== undefined) return known;
  if (number === BABELFISH_ERROR) return BY_TEXT.find(([pattern]) => pattern.test(message))?.[1] ?? UNKNOWN;
  // From 17 on it is the server's own trouble, from 20 on it ends the connection; 14 are the missing rights.
  if (severity >= 17) return UNAVAILABLE;
  return severity === 14 ? PERMISSION : UNKNOWN;
}

/** Whether an error of this kind can be why a login was refused. */
export function refusesLogin(kind: ErrorKind): boolean {
  return kind === LOGIN || kind === DATABASE_MISSING || kind === PERMISSION || kind === UNAVAILABLE;
}
