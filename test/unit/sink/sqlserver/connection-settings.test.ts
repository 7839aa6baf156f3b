import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostspoolError } from '../../../../src/lib/errors.ts';
import { columnType } from '../../../../src/sink/sqlserver/column-types.ts';
import { poolConfig, type SqlServerSettings } from '../../../../src/sink/sqlserver/connection-settings.ts';
import { load } from '../../config/scratch.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sqlserver-'));
});

afterAll(() => rmSync(directory, { recursive: true }));

function settings(change: Partial<SqlServerSettings> = {}): SqlServerSettings {
  const { sqlserver } = load({ flags: {} }).settings;
  return { ...sqlserver, user: 'writer', password: 'a-secret', ...change };
}
const options = (change: Partial<SqlServerSettings> = {}) => {
  return poolConfig(settings(change), () => undefined).options as unknown as Record<string, unknown>;
};

describe('the settings of a connection', () => {
  it('encrypt and trust nobody by default, speak UTC, and leave retrying to whoever loads', () => {
    expect(options()).toMatchObject({
      port: 1433,
      encrypt: true,
      trustServerCertificate: false,
      useUTC: true,
      maxRetriesOnTransientErrors: 0,
      appName: 'hostspool',
      connectTimeout: 15_000,
      requestTimeout: 60_000,
    });
  });

  it('take strict and no encryption as they are asked for', () => {
    expect(options({ encrypt: 'strict' }).encrypt).toBe('strict');
    expect(options({ encrypt: 'false' }).encrypt).toBe(false);
  });

  it('name an instance instead of a port', () => {
    expect(options({ instance: 'METRICS' })).toMatchObject({ instanceName: 'METRICS' });
    expect(options({ instance: 'METRICS' })).not.toHaveProperty('port');
  });

  it('bound every wait', () => {
    const { pool } = poolConfig(settings({ connect_timeout: 3000 }), () => undefined);
    expect(pool).toMatchObject({ acquireTimeoutMillis: 5000, createTimeoutMillis: 4000 });
    expect(options({ request_timeout: 1000 }).cancelTimeout).toBe(1000);
  });

  it.each(['user', 'password'] as const)('want the %s', (name) => {
    const given = settings();
    expect(() => poolConfig({ ...given, [name]: undefined }, () => undefined)).toThrow(
      expect.objectContaining({ code: 'SINK_SETTINGS', message: `sqlserver.${name} is not set` }),
    );
  });

  it('want a CA file that can be read and is one, and quote nothing of it', () => {
    const bad = join(directory, 'bad.pem');
    writeFileSync(bad, 'top secret');
    for (const ca of [join(directory, 'none.pem'), bad]) {
      let thrown: HostspoolError | undefined;
      try {
        options({ ca });
      } catch (error) {
        thrown = error as HostspoolError;
      }
      expect(thrown).toMatchObject({ code: 'SINK_TLS_FILE' });
      expect(thrown?.message).toContain(ca);
      expect(thrown?.message).not.toContain('top secret');
    }
  });
});

describe('the types of columns', () => {
  it.each([
    ['INT', { type: 'Int' }],
    ['BIGINT', { type: 'BigInt' }],
    ['BIT', { type: 'Bit' }],
    ['DECIMAL(15,2)', { type: 'Decimal', precision: 15, scale: 2 }],
    ['DATETIME2(3)', { type: 'DateTime2', scale: 3 }],
    ['NVARCHAR(255)', { type: 'NVarChar', length: 255 }],
    ['NVARCHAR(MAX)', { type: 'NVarChar', length: Number.POSITIVE_INFINITY }],
    ['BINARY(16)', { type: 'Binary', length: 16 }],
  ])('%s', (text, expected) => {
    expect(columnType(text)).toEqual(expected);
  });

  it('are no others', () => {
    expect(() => columnType('FLOAT')).toThrow(RangeError);
    expect(() => columnType('')).toThrow(RangeError);
  });
});
