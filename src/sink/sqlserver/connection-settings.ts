/**
 * The settings as mssql's configuration. The CA file is read anew for each pool, so a renewed one is taken without a
 * restart; one that cannot be used stops with the setting's name before any server is asked.
 */
import type { config as PoolConfig } from 'mssql';
import type { Connection } from 'tedious';
import type { Settings } from '../../config/schema.ts';
import { HostspoolError } from '../../lib/errors.ts';
import { readPem } from '../../lib/pem-file.ts';

export type SqlServerSettings = Settings['sqlserver'];

/** One that loads, one for everything else, and one to spare. */
const MOST_CONNECTIONS = 3;

/** The authorities of `sqlserver.ca`, PEM; undefined: the system's. Throws SINK_TLS_FILE. */
export function readAuthorities({ ca }: Pick<SqlServerSettings, 'ca'>): string | undefined {
  return ca === undefined ? undefined : readPem('certificate', 'sqlserver.ca', ca, 'SINK_TLS_FILE');
}

/** `connecting` sees each connection before it connects. Throws SINK_SETTINGS, SINK_TLS_FILE. */
export function poolConfig(
  settings: SqlServerSettings,
  connecting: (connection: Connection) => void,
  authorities = readAuthorities(settings),
): PoolConfig {
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
    // Node's own default is whatever its options make of it.
    cryptoCredentialsDetails: {
      minVersion: 'TLSv1.2',
      ...(authorities === undefined ? {} : { ca: authorities }),
    },
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
