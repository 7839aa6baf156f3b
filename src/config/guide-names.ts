/**
 * The variables that users of such pipelines already set. They stand below the HOSTSPOOL_ variable of the same
 * setting, which is also how to overrule one that belongs to another program: a guide variable that is overruled is
 * not even looked at.
 *
 * Two of them may mean one setting (DB_HOST and SQL_SERVER). With different values nobody can say which server is
 * meant, so that is an error and not a choice.
 */
export interface GuideName {
  readonly variable: string;
  readonly setting: string;
  /** What is allowed, where it differs from what the setting allows. */
  readonly allowed?: string;
  /** The setting's own writing of the variable's value; undefined where it says nothing about this setting. */
  translate(value: string): string | undefined;
}

const asIs = (value: string) => value;

/** Values that the reader of the setting would refuse are passed on, so that it says so. */
const seconds = (value: string) => (/^\d+(\.\d+)?$/.test(value.trim()) ? `${value.trim()}s` : 'not a number');

/** Python's names of levels that differ. */
const LEVELS: ReadonlyMap<string, string> = new Map([
  ['WARNING', 'warn'],
  ['CRITICAL', 'fatal'],
  ['NOTSET', 'trace'],
]);

/** `name`, `name,port` as ODBC writes it, `tcp:name,port`, or `name:port`. */
const SERVER = /^(?:tcp:)?([^\s,:\\/]+|[0-9a-f]*:[0-9a-f:]*:[0-9a-f.]*)(?:[,:](\d+))?$/i;

const serverHost = (value: string) => SERVER.exec(value.trim())?.[1] ?? '\\';
const serverPort = (value: string) => SERVER.exec(value.trim())?.[2];

const SERVER_ALLOWED =
  'a host name or address, alone or as name,port or name:port; a named instance needs its port instead';
const SECONDS_ALLOWED = (range: string) => `a number of seconds from ${range}, decimals allowed`;

/** kafka-python's default port, for a broker named without one. */
const brokers = (value: string) =>
  value
    .split(',')
    .map((broker) => broker.trim())
    .filter((broker) => broker !== '')
    .map((broker) => (/^[^:\s]+$/.test(broker) ? `${broker}:9092` : broker))
    .join(',');

export const guideNames: readonly GuideName[] = [
  { variable: 'KAFKA_BOOTSTRAP_SERVERS', setting: 'kafka.brokers', translate: brokers },
  { variable: 'KAFKA_TOPIC', setting: 'kafka.topic', translate: asIs },
  { variable: 'KAFKA_CONSUMER_GROUP', setting: 'kafka.group', translate: asIs },
  {
    variable: 'COLLECTION_INTERVAL_SECONDS',
    setting: 'collect.interval',
    allowed: SECONDS_ALLOWED('0.1 to 3600'),
    translate: seconds,
  },
  { variable: 'DB_HOST', setting: 'sqlserver.host', allowed: SERVER_ALLOWED, translate: serverHost },
  { variable: 'SQL_SERVER', setting: 'sqlserver.host', allowed: SERVER_ALLOWED, translate: serverHost },
  { variable: 'DB_PORT', setting: 'sqlserver.port', translate: asIs },
  { variable: 'DB_HOST', setting: 'sqlserver.port', translate: serverPort },
  { variable: 'SQL_SERVER', setting: 'sqlserver.port', translate: serverPort },
  { variable: 'DB_NAME', setting: 'sqlserver.database', translate: asIs },
  { variable: 'SQL_DATABASE', setting: 'sqlserver.database', translate: asIs },
  { variable: 'DB_USER', setting: 'sqlserver.user', translate: asIs },
  { variable: 'DB_PASSWORD', setting: 'sqlserver.password', translate: asIs },
  { variable: 'BATCH_SIZE', setting: 'writer.batch_size', translate: asIs },
  {
    variable: 'BATCH_TIMEOUT_SECONDS',
    setting: 'writer.batch_timeout',
    allowed: SECONDS_ALLOWED('0.01 to 600'),
    translate: seconds,
  },
  {
    variable: 'LOG_LEVEL',
    setting: 'log.level',
    translate: (value) => LEVELS.get(value.trim().toUpperCase()) ?? value,
  },
];
