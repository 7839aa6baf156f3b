/**
 * The settings: the only list of their names, defaults, ranges and descriptions. Flags, environment variables, the
 * YAML file, `hostspool config` and docs/settings.md are all made from it.
 *
 * A setting has one dotted name everywhere. `live: true` marks those that a SIGHUP changes in a running process.
 * A default is written as a person would write it, and parsed like any other value. What has no default here is either
 * derived from the machine (resolve.ts) or absent; its `example` is what the commented example file shows.
 */
import * as z from 'zod';
import { choice, duration, flag, integer, list, path, secret, size, sizeOrShare, text } from './kinds.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const TiB = 1024 * GiB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const PORT = { min: 1, max: 65_535 };
// Patterns are without flags: an editor checks them too, by the JSON Schema.
const HOST = '(\\[[0-9A-Fa-f:.]+\\]|[^\\s:,/\\[\\]@]+)';
const PORT_NUMBER = '([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])';
const HOST_AND_PORT = new RegExp(`^${HOST}:${PORT_NUMBER}$`);
/** What the wire contract takes for one, and no control characters; a pair of surrogates is one character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a host name must not have
export const HOSTNAME = /^(?=.{1,255}$)([^\s\u0000-\u001f\u007f-\u009f\ud800-\udfff]|[\ud800-\udbff][\udc00-\udfff])+$/;
const TOPIC = /^(?!\.\.?$)[A-Za-z0-9._-]{1,249}$/;
// Port 0 is any free one.
const ADDRESS = new RegExp(`^$|^${HOST}:(0|${PORT_NUMBER})$`);

/** A group of settings: a missing one takes the defaults of its members. */
function group<Shape extends z.ZodRawShape>(description: string, shape: Shape) {
  return z
    .strictObject(shape)
    .prefault({} as never)
    .meta({ description });
}

const collect = group('Sampling this host.', {
  interval: duration({ min: 100, max: HOUR }).prefault('5s').meta({
    description:
      'Time between two samples. Samples lie on the wall-clock grid of the interval, plus a splay that is stable per host.',
    live: true,
  }),
  hostname: text('a host name of 1 to 255 characters', HOSTNAME).optional().meta({
    description: 'Name under which this host reports, and the key of its messages.',
    derived: 'the system’s host name; with collect.host_root what etc/hostname under it says',
    example: 'web-1.example.com',
  }),
  host_root: path('the path of a directory').prefault('/').meta({
    description:
      'Where the root filesystem of the host to sample is seen. In a container that is given it by `/:/host:ro,rslave`: /host. /proc and /sys are read beneath it, network and mounts are those of the host’s first process.',
  }),
  details: flag().prefault(false).meta({
    description:
      'Also send one entry per filesystem, network interface and disk. Makes a message several times as large.',
  }),
  timeout: duration({ min: 10, max: MINUTE }).prefault('1s').meta({
    description:
      'Time limit of one collector. One that takes longer costs its own fields, never the sample; it is at most half the interval. The root filesystem, without which there is no sample, has at least 250ms.',
    live: true,
  }),
});

const spool = group('The local buffer.', {
  path: path().optional().meta({
    description: 'The spool file; its companions (.lock, .seq, .reserve) lie beside it.',
    derived:
      'spool.db in the state directory: $STATE_DIRECTORY, else $XDG_STATE_HOME/hostspool, else ~/.local/state/hostspool',
    example: '/var/lib/hostspool/spool.db',
  }),
  max_bytes: size({ min: 16 * MiB, max: 16 * TiB })
    .prefault('512MiB')
    .meta({
      description: 'Bound of the spool on disk. At it the oldest samples are evicted; their loss is noted.',
    }),
  max_age: duration({ min: MINUTE, max: 3650 * DAY })
    .prefault('7d')
    .meta({
      description: 'Bound of a sample’s age. Older samples are evicted; their loss is noted.',
    }),
  min_free: sizeOrShare({ min: 0, max: 16 * TiB })
    .prefault('1GiB')
    .meta({
      description:
        'Free space on the spool’s filesystem below which the spool stops growing: each append then evicts what it adds.',
    }),
  synchronous: choice('full', 'normal').prefault('full').meta({
    description:
      'full: a power cut loses no sample that was appended. normal: it may lose the newest, which is noted; spares flash storage.',
  }),
  group: text('the name or number of a group', /^[A-Za-z_][A-Za-z0-9_.-]*[$]?$|^[0-9]+$/)
    .optional()
    .meta({
      description:
        'Group whose members may read the spool, for monitoring that runs `hostspool status`. The files are then 0640, else 0600.',
      example: 'adm',
    }),
});

const tls = group('TLS to the brokers.', {
  enabled: flag().prefault(false).meta({ description: 'Whether to use TLS.' }),
  ca: path().optional().meta({
    description: 'PEM file of the authorities to trust instead of the system’s.',
    example: '/etc/hostspool/kafka-ca.pem',
    live: true,
  }),
  cert: path().optional().meta({
    description: 'PEM file of this client’s certificate, for mutual TLS. Goes with kafka.tls.key.',
    example: '/etc/hostspool/kafka-client.pem',
    live: true,
  }),
  key: path().optional().meta({
    description: 'PEM file of this client’s private key. Goes with kafka.tls.cert.',
    example: '/etc/hostspool/kafka-client.key',
    live: true,
  }),
});

const sasl = group('SASL login at the brokers.', {
  mechanism: choice('plain', 'scram-sha-256', 'scram-sha-512').optional().meta({
    description: 'How to log in. Without it there is no login.',
    example: 'scram-sha-512',
  }),
  username: text().optional().meta({ description: 'The user.', example: 'hostspool', live: true }),
  password: secret().optional().meta({
    description: 'The password. Better from a file than from the environment; never a flag.',
    example: '{ file: /etc/hostspool/kafka.password }',
    live: true,
  }),
});

const kafka = group('The Kafka cluster.', {
  brokers: list('host:port, several separated by commas', HOST_AND_PORT).prefault([]).meta({
    description: 'Brokers to ask for the cluster, as host:port. An agent needs at least one.',
    example: '[kafka-1:9092, kafka-2:9092]',
  }),
  topic: text('a topic name: 1 to 249 of A–Z a–z 0–9 . _ -', TOPIC).prefault('server-metrics').meta({
    description: 'Topic of the samples.',
  }),
  group: text('a consumer group name of 1 to 150 characters', /^[^\0]{1,150}$/)
    .prefault('metrics-to-database')
    .meta({
      description: 'Consumer group of the writers.',
    }),
  client_id: text('a client id of 1 to 200 characters', /^[^\0\s]{1,200}$/)
    .prefault('hostspool')
    .meta({
      description: 'How this client calls itself in the brokers’ logs and quotas.',
    }),
  compression: choice('none', 'gzip', 'snappy', 'lz4', 'zstd').prefault('snappy').meta({
    description: 'Codec of what is sent. Every codec is read.',
  }),
  connect_timeout: duration({ min: 100, max: 5 * MINUTE })
    .prefault('10s')
    .meta({
      description: 'Time limit for a connection to a broker, TLS and login included.',
    }),
  request_timeout: duration({ min: 500, max: 10 * MINUTE })
    .prefault('30s')
    .meta({
      description:
        'Time limit for a broker’s answer. After it the connection is dropped and the attempt counts as failed.',
    }),
  session_timeout: duration({ min: 1 * SECOND, max: 30 * MINUTE })
    .prefault('45s')
    .meta({
      description: 'How long a killed writer’s partitions wait before another takes them.',
    }),
  tls,
  sasl,
});

const ship = group('Sending the spool to Kafka.', {
  batch_samples: integer({ min: 1, max: 10_000 }).prefault(500).meta({ description: 'Most samples in one request.' }),
  batch_bytes: size({ min: KiB, max: 64 * MiB })
    .prefault('900KiB')
    .meta({
      description: 'Most bytes in one request, before compression. Keep it below the topic’s max.message.bytes.',
    }),
  linger: duration({ min: 0, max: 10 * MINUTE })
    .prefault('5s')
    .meta({
      description:
        'Least time between two requests while Kafka keeps up: what is taken meanwhile leaves together, which costs host and brokers less and packs better. Samples further apart leave at once. A healthy spool then holds up to as much: keep it well below what monitoring takes for a backlog or a silent host. 0 = each at once.',
      live: true,
    }),
  max_rate: integer({ min: 0, max: 10_000_000 }).prefault(0).meta({
    description: 'Most samples sent per second; paces the drain after an outage. 0 = unlimited.',
    live: true,
  }),
});

const backoff = group('Waiting between attempts against a server that failed: full jitter, Kafka and database alike.', {
  base: duration({ min: 10, max: HOUR })
    .prefault('1s')
    .meta({ description: 'Upper bound of the first wait. It doubles with each failure.' }),
  cap: duration({ min: 10, max: DAY }).prefault('60s').meta({ description: 'Upper bound of every wait.' }),
});

const writer = group('The writer: from Kafka to a database.', {
  sink: choice('sqlserver', 'sqlite')
    .prefault('sqlserver')
    .meta({ description: 'The database that the writer loads.' }),
  batch_size: integer({ min: 1, max: 100_000 }).prefault(500).meta({ description: 'Rows that trigger a load.' }),
  batch_timeout: duration({ min: 10, max: 10 * MINUTE })
    .prefault('2s')
    .meta({ description: 'Age of the oldest row that triggers a load.' }),
  batch_max: integer({ min: 1, max: 1_000_000 })
    .prefault(10_000)
    .meta({ description: 'Most rows in one load, under backlog.' }),
  buffer_bytes: size({ min: MiB, max: 16 * GiB })
    .prefault('64MiB')
    .meta({
      description:
        'Most bytes of messages held while a load runs or the database is away. At it fetching pauses; nothing is dropped.',
    }),
  migrate: flag().prefault(true).meta({
    description:
      'Whether the writer brings the database to its schema when it starts. Without it, or without the rights, it says what to run and stops.',
  }),
  retention: duration({ min: 0, max: 3650 * DAY })
    .prefault('0s')
    .meta({
      description:
        'How long rows are kept, counted from their arrival, by the writer’s clock; older samples that still arrive are accounted and not inserted. 0 = for ever.',
    }),
});

const lag = group('How far the writers are behind.', {
  warn: integer({ min: 0, max: 1_000_000_000_000 }).prefault(1000).meta({
    description: 'Messages not yet loaded above which the writer warns, once a minute. 0 = never.',
    live: true,
  }),
});

const sqlserver = group('The SQL Server of the writer.', {
  host: text('a host name or address, without port or instance', /^[^\s,/\\]+$/)
    .prefault('localhost')
    .meta({ description: 'Host of the server.' }),
  port: integer(PORT).prefault(1433).meta({ description: 'TCP port of the server; not used with sqlserver.instance.' }),
  instance: text('the name of an instance: 1 to 16 letters, digits, _ or $', /^[A-Za-z_][A-Za-z0-9_$]{0,15}$/)
    .optional()
    .meta({
      description: 'Named instance; its port is asked of the server’s browser service (UDP 1434).',
      example: 'METRICS',
    }),
  database: text('a database name of 1 to 128 characters', /^[^\0]{1,128}$/)
    .prefault('monitoring')
    .meta({ description: 'Name of the database.' }),
  user: text().optional().meta({ description: 'SQL login.', example: 'hostspool', live: true }),
  password: secret().optional().meta({
    description: 'Its password. Better from a file than from the environment; never a flag.',
    example: '{ file: /etc/hostspool/sqlserver.password }',
    live: true,
  }),
  encrypt: choice('true', 'false', 'strict').prefault('true').meta({
    description:
      'Whether to encrypt the connection. A server that refuses is not logged in to. strict: TLS before anything else (TDS 8, SQL Server 2022 and later).',
  }),
  ca: path().optional().meta({
    description: 'PEM file of the authorities to trust instead of the system’s.',
    example: '/etc/hostspool/sqlserver-ca.pem',
    live: true,
  }),
  trust_server_certificate: flag()
    .prefault(false)
    .meta({ description: 'Accept any certificate. For tests only: anybody between can read along.' }),
  application_name: text('a name of 1 to 128 characters', /^[^\0]{1,128}$/)
    .prefault('hostspool')
    .meta({ description: 'How the connections call themselves in the server’s lists.' }),
  multi_subnet_failover: flag().prefault(false).meta({
    description: 'Try all addresses of the host at once: for an availability group’s listener over several subnets.',
  }),
  connect_timeout: duration({ min: 100, max: 10 * MINUTE })
    .prefault('15s')
    .meta({ description: 'Time limit for a connection, TLS and login included.' }),
  request_timeout: duration({ min: SECOND, max: HOUR }).prefault('60s').meta({
    description:
      'Time limit of one step of a load. After it the connection is dropped and the load is repeated; the fence keeps it from counting twice.',
  }),
});

const sqlite = group('The SQLite database of local mode, and of a writer with writer.sink: sqlite.', {
  path: path().optional().meta({
    description: 'The database file.',
    derived: 'metrics.db beside the spool',
    example: '/var/lib/hostspool/metrics.db',
  }),
});

const httpTls = group('TLS of the endpoint.', {
  cert: path().optional().meta({
    description:
      'PEM file of the certificate, with its chain. With it the endpoint speaks HTTPS. Goes with http.tls.key.',
    example: '/etc/hostspool/http.pem',
    live: true,
  }),
  key: path().optional().meta({
    description: 'PEM file of its private key. Goes with http.tls.cert.',
    example: '/etc/hostspool/http.key',
    live: true,
  }),
});

const http = group('Health and metrics over HTTP.', {
  address: text('host:port, or empty for off', ADDRESS).optional().meta({
    description:
      'Where to listen. Empty is off. While the address is in use it is tried again; nothing else waits for it.',
    derived: '127.0.0.1:9464, or 127.0.0.1:9465 for a writer',
    example: '127.0.0.1:9464',
    live: true,
  }),
  token: secret().optional().meta({
    description: 'What a client must send as `Authorization: Bearer …`. Without it every client is answered.',
    example: '{ file: /etc/hostspool/http.token }',
    live: true,
  }),
  tls: httpTls,
  fleet_hosts: integer({ min: 0, max: 10_000 }).prefault(100).meta({
    description:
      'How many hosts a writer’s /metrics names, those furthest behind first. 0 = none, only the totals of the fleet.',
    live: true,
  }),
  fleet_silent_after: duration({ min: SECOND, max: 365 * DAY })
    .prefault('5m')
    .meta({
      description: 'Age of its newest sample after which a host counts as silent in a writer’s /metrics.',
      live: true,
    }),
});

const log = group('The log: JSON lines on standard output.', {
  level: choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').prefault('info').meta({
    description: 'Least level that is written.',
    live: true,
  }),
  format: choice('auto', 'json', 'pretty')
    .prefault('auto')
    .meta({ description: 'auto: pretty on a terminal, JSON otherwise.' }),
  stats_interval: duration({ min: 0, max: DAY }).prefault('60s').meta({
    description: 'Time between two lines of statistics. 0 = none.',
    live: true,
  }),
});

const shutdown = group('Stopping.', {
  timeout: duration({ min: 0, max: 10 * MINUTE })
    .prefault('5s')
    .meta({
      description:
        'How long a stopping agent still tries to ship, and a stopping writer to load what it has gathered. What is left stays in the spool, or in Kafka.',
    }),
});

export const settingsSchema = z.strictObject({
  mode: choice('agent', 'writer', 'local').prefault('agent').meta({
    description:
      'What this process does: agent samples this host and ships to Kafka, writer loads the topic into a database, local samples this host into a SQLite database without any server.',
  }),
  collect,
  spool,
  kafka,
  ship,
  backoff,
  writer,
  lag,
  sqlserver,
  sqlite,
  http,
  log,
  shutdown,
});

export type Settings = z.output<typeof settingsSchema>;
