/**
 * The settings as mssql's configuration. The CA file is read anew for each pool, so a renewed one is taken without a
 * restart; one that cannot be used stops with the setting's name before any server is asked.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { config as PoolConfig } from 'mssql';
import type { Connection } from 'tedious';
import type { Settings } from '../../config/schema.ts';
import { errorCode, HostspoolError } from '../../lib/errors.ts';

export type SqlServerSettings = Settings['sqlserver'];

/** One that loads, one for everything else, and one to spare. */
const MOST_CONNECTIONS = 3;

/** `connecting` sees each connection before it connects. Throws SINK_SETTINGS, SINK_TLS_FILE. */
export function poolConfig(settings: SqlServerSettings, connecting: (connection: Connection) => void): PoolConfig {
  const { host, port, instance, database, user, password, connect_timeout, request_timeout } = settings;
  if (user === undefined || password === undefined) {
    const missing = user === undefined ? 'sqlserver.user' : 'sqlserver.password';
    throw new HostspoolError('SINK_SETTINGS', `${missing} is not set`, {
      hint: 'set sqlserver.user and sqlserver.password to a SQL login; see docs/sqlserver.md',
    });
  }
  const options = {
    ...(instance === undefined ? { port } : { instanceName: instance }),
    encrypt: encryption(settings.encrypt),
    trustServerCertificate: settings.trust_server_certificate,
    multiSubnetFailover: settings.multi_subnet_failover,
    appName: settings.application_name,
    connectTimeout: connect_timeout,
    requestTimeout: request_timeout,
    cancelTimeout: Math.min(request_timeout, 5000),
    // Whoever loads owns the retrying; one attempt stays one attempt.
    maxRetriesOnTransientErrors: 0,
    useUTC: true,
    abortTransactionOnError: true,
    ...(settings.ca === undefined ? {} : { cryptoCredentialsDetails: { ca: readCertificates(settings.ca) } }),
  };
  return {
    server: host,
    user,
    password,
    database,
    // Looks at the socket: a query before every use would be a round trip for nothing.
    validateConnection: 'socket',
    beforeConnect: connecting,
    pool: {
      min: 0,
      max: MOST_CONNECTIONS,
      acquireTimeoutMillis: connect_timeout + 2000,
      createTimeoutMillis: connect_timeout + 1000,
    },
    options,
  } as unknown as PoolConfig;
}

function encryption(encrypt: SqlServerSettings['encrypt']): boolean | 'strict' {
  return encrypt === 'strict' ? 'strict' : encrypt === 'true';
}

function readCertificates(path: string): string {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    throw new HostspoolError('SINK_TLS_FILE', `sqlserver.ca: ${path} can't be read (${errorCode(error)})`, {
      hint: 'check the path, and that the user hostspool runs as may read the file',
      cause: error,
    });
  }
  try {
    new X509Certificate(pem);
  } catch (error) {
    throw new HostspoolError('SINK_TLS_FILE', `sqlserver.ca: ${path} holds no certificate in PEM form`, {
      cause: error,
    });
  }
  return pem;
}
