/** The TDS double under the driver itself: what it says of values, encryption and cancellation is what was sent. */
import { Connection, type ConnectionConfiguration, Request, TYPES } from 'tedious';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../support/broker-certificates.ts';
import { obfuscated } from '../support/tds/login.ts';
import { TdsServer } from '../support/tds/server.ts';

type Options = NonNullable<ConnectionConfiguration['options']>;

const authority = new CertificateAuthority();
const tls = authority.issue({ commonName: 'localhost', names: ['localhost'] });
const PASSWORD = 'correct horse';
let server: TdsServer;
const connections: Connection[] = [];

beforeEach(async () => {
  server = await TdsServer.listen({ tls, password: PASSWORD });
});

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  await server[Symbol.asyncDispose]();
});

function connect(options: Options = {}, password = PASSWORD): Promise<Connection> {
  const connection = new Connection({
    server: 'localhost',
    authentication: { type: 'default', options: { userName: 'hostspool', password } },
    options: {
      port: server.port,
      database: 'monitoring',
      encrypt: true,
      cryptoCredentialsDetails: { ca: authority.cert },
      connectTimeout: 5000,
      maxRetriesOnTransientErrors: 0,
      useUTC: true,
      ...options,
    },
  });
  connections.push(connection);
  connection.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    connection.connect((error) => (error === undefined || error === null ? resolve(connection) : reject(error)));
  });
}

function ask(connection: Connection, sql: string, prepare: (request: Request) => void = () => undefined) {
  return new Promise<unknown[][]>((resolve, reject) => {
    const rows: unknown[][] = [];
    const request = new Request(sql, (error) => (error ? reject(error) : resolve(rows)));
    request.on('row', (columns) => rows.push(columns.map(({ value }: { value: unknown }) => value)));
    prepare(request);
    if (request.parameters.length > 0) connection.execSql(request);
    else connection.execSqlBatch(request);
  });
}

type Rows = unknown[][] | AsyncIterable<unknown[]>;

function bulk(connection: Connection, rows: Rows, nullable = true, timeout = 20_000): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const load = connection.newBulkLoad('#holes', { checkConstraints: true }, (error, count) =>
      error ? reject(error) : resolve(count),
    );
    for (const [name, type, size] of [
      ['partition_id', TYPES.Int, {}],
      ['epoch', TYPES.Int, {}],
      ['first_offset', TYPES.BigInt, {}],
      ['next_offset', TYPES.BigInt, {}],
      ['reason', TYPES.NVarChar, { length: 40 }],
      ['found_at', TYPES.DateTime2, { scale: 3 }],
    ] as const)
      load.addColumn(name, type, { ...size, nullable: nullable && name === 'next_offset' });
    load.setTimeout(timeout);
    connection.execBulkLoad(load, rows as unknown[][]);
  });
}

describe('encryption', () => {
  it.each([true, 'strict'] as const)('with encrypt %s hides everything but the handshake', async (encrypt) => {
    await connect({ encrypt } as Options);
    const [record] = server.records;
    expect(record).toMatchObject({ encrypted: true, loggedIn: true, login: { password: PASSWORD } });
    expect(record?.plain.includes(obfuscated(PASSWORD))).toBe(false);
  });

  it('is left out where the client wants none, and the password then lies open', async () => {
    await connect({ encrypt: false });
    expect(server.records[0]).toMatchObject({ encrypted: false, loggedIn: true });
    expect(server.records[0]?.plain.includes(obfuscated(PASSWORD))).toBe(true);
  });
});

describe('a login', () => {
  it('with the wrong password is refused', async () => {
    await expect(connect({}, 'guess')).rejects.toMatchObject({ code: 'ELOGIN' });
    expect(server.records[0]).toMatchObject({ refused: 18456, loggedIn: false });
  });

  it('to a database that is not there is refused', async () => {
    await expect(connect({ database: 'elsewhere' })).rejects.toMatchObject({ code: 'ELOGIN' });
    expect(server.records[0]).toMatchObject({ refused: 4060, loggedIn: false });
  });
});

describe('a bulk load', () => {
  it('arrives value by value', async () => {
    const connection = await connect();
    await ask(connection, '/* step: stage-tables */');
    const late = new Date('2026-12-31T23:59:59.996Z');
    await bulk(connection, [
      [-2147483648, 0, 9223372036854775807n, null, `${'x'.repeat(38)}🦜`, late],
      [2147483647, 1, -1n, 0n, '', new Date('0001-01-01T00:00:00.000Z')],
    ]);
    const rows = await ask(connection, '/* step: peek-holes */');
    expect(rows).toEqual([
      [-2147483648, 0, '9223372036854775807', null, `${'x'.repeat(38)}🦜`, late],
      [2147483647, 1, '-1', '0', '', new Date('0001-01-01T00:00:00.000Z')],
    ]);
  });

  it('is refused whole where the client declares a column otherwise than the table has it', async () => {
    const connection = await connect();
    await ask(connection, '/* step: stage-tables */');
    const row = [0, 0, 0n, 0n, 'x', new Date(0)];
    await expect(bulk(connection, [row], false)).rejects.toMatchObject({ number: 4816 });
  });

  it('is refused before the rows where there is no such table', async () => {
    await expect(bulk(await connect(), [])).rejects.toMatchObject({ number: 208 });
  });
});

describe('a pooled connection', () => {
  it('comes back without its temporary tables and its transaction when it is reset', async () => {
    const connection = await connect();
    await ask(connection, '/* step: stage-tables */');
    await ask(connection, '/* step: begin-migration */');
    await new Promise<void>((resolve, reject) => connection.reset((error) => (error ? reject(error) : resolve())));
    await expect(bulk(connection, [])).rejects.toMatchObject({ number: 208 });
    await expect(ask(connection, '/* step: commit-migration */')).rejects.toMatchObject({ number: 3902 });
  });
});

describe('a request', () => {
  it('of rows that its client gives up in the middle leaves none', async () => {
    const connection = await connect();
    await ask(connection, '/* step: stage-tables */');
    async function* endless() {
      for (let count = 0; count < 2000; count++) yield [count, 0, 0n, 0n, 'x', new Date(0)];
      await new Promise<never>(() => undefined);
    }
    await expect(bulk(connection, endless(), true, 200)).rejects.toMatchObject({ code: 'ETIMEOUT' });
    expect(await ask(connection, '/* step: peek-holes */')).toEqual([]);
  });

  it('that its client gives up is cancelled, and the connection goes on', async () => {
    const connection = await connect();
    server.faults.add({ at: 'find-ledger', do: 'hang' });
    const request = ask(connection, '/* step: find-ledger */', (request) => request.setTimeout(100));
    await expect(request).rejects.toMatchObject({ code: 'ETIMEOUT' });
    expect(await ask(connection, '/* step: find-ledger */')).toEqual([[null]]);
  });

  it.each(['before', 'after', 'answer', 'torn', 'cut-packet'] as const)('can lose its connection: %s', async (when) => {
    const connection = await connect();
    server.faults.add({ at: 'find-ledger', do: 'drop', when });
    await expect(ask(connection, '/* step: find-ledger */')).rejects.toThrow();
    expect(server.count('find-ledger')).toBe(when === 'before' ? 0 : 1);
  });

  it('without a step is refused, and noted', async () => {
    await expect(ask(await connect(), 'SELECT 2')).rejects.toMatchObject({ number: 50_000 });
    expect(server.surprises).toHaveLength(1);
  });
});
