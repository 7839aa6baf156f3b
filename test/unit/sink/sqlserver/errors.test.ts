import { describe, expect, it } from 'vitest';
import { HostspoolError } from '../../../../src/lib/errors.ts';
import { sinkClosed, sqlServerError, toldByServer } from '../../../../src/sink/sqlserver/errors.ts';

const ADDRESS = { server: 'db.example.com:1433', database: 'monitoring' };

function told(number: number, message = `about ${number}`, severity = 16) {
  return Object.assign(new Error(message), { code: 'EREQUEST', number, class: severity });
}
const errorOf = (thrown: unknown, refusals: { number: number; message: string }[] = []) =>
  sqlServerError(thrown, ADDRESS, 'load', refusals);

describe('an error of the server', () => {
  it.each([
    [2627, 'SINK_DUPLICATE', true],
    [2601, 'SINK_DUPLICATE', true],
    [1205, 'SINK_DEADLOCK', true],
    [1222, 'SINK_LOCKED', true],
    [2628, 'SINK_DATA', false],
    [8152, 'SINK_DATA', false],
    [8115, 'SINK_DATA', false],
    [547, 'SINK_DATA', false],
    [515, 'SINK_DATA', false],
    [4815, 'SINK_DATA', false],
    [9002, 'SINK_FULL', true],
    [1105, 'SINK_FULL', true],
    [3906, 'SINK_READ_ONLY', false],
    [229, 'SINK_PERMISSION', false],
    [262, 'SINK_PERMISSION', false],
    [208, 'SINK_SCHEMA_MISSING', false],
    [207, 'SINK_SCHEMA_OLD', false],
    [4060, 'SINK_DATABASE_MISSING', false],
    [18456, 'SINK_LOGIN', false],
    ...[40197, 40501, 40613, 49918, 49919, 49920, 10928, 10929].map((n) => [n, 'SINK_UNAVAILABLE', true] as const),
    [50000, 'SINK_UNKNOWN', false],
  ] as const)('%i becomes %s', (number, code, retryable) => {
    const error = errorOf(told(number));
    expect(error).toMatchObject({ code, retryable });
    expect(error.message).toBe(
      `db.example.com:1433/monitoring: ${error.message.split(': ')[1]?.split(' at load')[0]} at load: about ${number} (error ${number})`,
    );
    expect(toldByServer(error)).toMatchObject([{ number }]);
  });

  it.each([
    ['duplicate key value violates unique constraint "uq"', 'SINK_DUPLICATE'],
    ['canceling statement due to lock timeout', 'SINK_LOCKED'],
    ['deadlock detected', 'SINK_DEADLOCK'],
    ['permission denied for table server_metrics', 'SINK_PERMISSION'],
    ['numeric field overflow', 'SINK_DATA'],
    ['value too long for type character varying(255)', 'SINK_DATA'],
    ['new row for relation "runs" violates check constraint "ck"', 'SINK_DATA'],
    ['relation "runs" does not exist', 'SINK_SCHEMA_MISSING'],
    ['column "seq" does not exist', 'SINK_SCHEMA_OLD'],
    ['database "monitoring" does not exist', 'SINK_DATABASE_MISSING'],
    ['could not extend file: No space left on device', 'SINK_FULL'],
    ['the database system is starting up', 'SINK_UNAVAILABLE'],
    ['something else', 'SINK_UNKNOWN'],
  ])('with the one number of Babelfish is told by its text: %s', (message, code) => {
    expect(errorOf(told(33557097, message))).toMatchObject({ code });
  });

  it('of an unknown number is judged by its severity', () => {
    expect(errorOf(told(60001, 'x', 17))).toMatchObject({ code: 'SINK_UNAVAILABLE', retryable: true });
    expect(errorOf(told(60001, 'x', 21))).toMatchObject({ code: 'SINK_UNAVAILABLE', retryable: true });
    expect(errorOf(told(60001, 'x', 14))).toMatchObject({ code: 'SINK_PERMISSION' });
  });

  it('among several is the first that means something', () => {
    expect(errorOf(new AggregateError([told(50000), told(2627), told(547)]))).toMatchObject({ code: 'SINK_DUPLICATE' });
    expect(errorOf(new AggregateError([told(50000), told(50001)])).message).toContain('(error 50000)');
  });

  it('is found inside what mssql wraps it in', () => {
    const wrapped = Object.assign(new Error('about 1205'), { code: 'EREQUEST', originalError: told(1205) });
    expect(errorOf(wrapped)).toMatchObject({ code: 'SINK_DEADLOCK' });
  });
});

describe('a refused login', () => {
  const refused = Object.assign(new Error('Login failed'), { code: 'ELOGIN' });
  const said = (number: number, message = '') => ({ number, message });

  it.each([
    ['nothing', [], 'SINK_LOGIN'],
    ['a wrong password', [said(18456)], 'SINK_LOGIN'],
    ['a database that is not there, told twice', [said(4060), said(18456)], 'SINK_DATABASE_MISSING'],
    ['a server that is not ready', [said(18401)], 'SINK_UNAVAILABLE'],
    ['a service that is moving', [said(40613)], 'SINK_UNAVAILABLE'],
    ['errors of other requests', [said(2627), said(18456)], 'SINK_LOGIN'],
    ['Babelfish', [said(33557097, 'database "monitoring" does not exist')], 'SINK_DATABASE_MISSING'],
  ])('is told by what the server said on the way: %s', (_, refusals, code) => {
    expect(errorOf(refused, refusals)).toMatchObject({ code });
  });
});

describe('a failure of the connection', () => {
  it.each([
    ['ESOCKET', 'SINK_UNAVAILABLE'],
    ['ECLOSE', 'SINK_UNAVAILABLE'],
    ['ECONNRESET', 'SINK_UNAVAILABLE'],
    ['EPIPE', 'SINK_UNAVAILABLE'],
    ['EINSTLOOKUP', 'SINK_UNAVAILABLE'],
    ['ETIMEOUT', 'SINK_TIMEOUT'],
  ])('%s becomes %s, and passes', (code, expected) => {
    const error = errorOf(Object.assign(new Error(`about ${code}`), { code }));
    expect(error).toMatchObject({ code: expected, retryable: true });
  });

  it('says what each address answered, which the driver keeps to itself', () => {
    const cause = new AggregateError([new Error('connect ECONNREFUSED 127.0.0.1:1433')], 'Could not connect');
    const thrown = Object.assign(new Error('Failed to connect - Could not connect', { cause }), { code: 'ESOCKET' });
    expect(errorOf(thrown).message).toMatch(/at load: connect ECONNREFUSED 127\.0\.0\.1:1433$/);
  });

  it('of TLS is no matter of waiting, and has words and a hint', () => {
    const cause = Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    const error = errorOf(Object.assign(new Error('Failed to connect', { cause }), { code: 'ESOCKET' }));
    expect(error).toMatchObject({ code: 'SINK_TLS', retryable: false });
    expect(error.hint).toContain('sqlserver.ca');
    expect(errorOf(Object.assign(new Error('no'), { code: 'EENCRYPT' })).hint).toContain('sqlserver.encrypt');
    const weak = errorOf(
      Object.assign(new Error('unspecified certificate verification error'), { code: 'UNSPECIFIED' }),
    );
    expect(weak).toMatchObject({ code: 'SINK_TLS', message: expect.stringContaining('too weak') });
    expect(weak.hint).toContain('2048 bits');
  });
});

describe('whatever else is thrown', () => {
  it('stays what it is when it is one of ours', () => {
    const ours = new HostspoolError('SINK_NEWER_SCHEMA', 'newer');
    expect(errorOf(ours)).toBe(ours);
    expect(toldByServer(ours)).toEqual([]);
  });

  it('is the data, where a value could not be written', () => {
    expect(errorOf(new TypeError('Invalid string.'))).toMatchObject({ code: 'SINK_DATA', retryable: false });
  });

  it('may be anything', () => {
    expect(errorOf('a text')).toMatchObject({ code: 'SINK_UNAVAILABLE' });
    expect(errorOf(undefined)).toBeInstanceOf(HostspoolError);
    expect(sinkClosed(ADDRESS)).toMatchObject({ code: 'SINK_CLOSED' });
  });
});
