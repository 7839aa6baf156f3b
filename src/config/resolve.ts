/**
 * The defaults that depend on the machine: where the spool lies, what the host is called. Pure: what is read of the
 * machine comes in.
 *
 * The state directory is systemd's where there is one, else the user's by the XDG rules, so that the same command
 * works as a service and out of a checkout. The database of local mode lies beside the spool, wherever that is.
 */
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { Settings } from './schema.ts';

type Resolved<Group, Key extends keyof Group> = Omit<Group, Key> & {
  readonly [K in Key]-?: Exclude<Group[K], undefined>;
};

/** The settings with every derived default in place. */
export type ResolvedSettings = Omit<Settings, 'collect' | 'spool' | 'sqlite' | 'http'> & {
  readonly collect: Resolved<Settings['collect'], 'hostname'>;
  readonly spool: Resolved<Settings['spool'], 'path'>;
  readonly sqlite: Resolved<Settings['sqlite'], 'path'>;
  readonly http: Resolved<Settings['http'], 'address'>;
};

/** What the defaults are derived from. */
export interface Machine {
  readonly env: NodeJS.ProcessEnv;
  /** What the host is called whose root filesystem is seen at `hostRoot`; '' where nothing tells. */
  readonly hostname: (hostRoot: string) => string;
  /** The user's home directory, if there is one. */
  readonly home: string | undefined;
  readonly workingDirectory: string;
}

export interface Resolution {
  readonly settings: ResolvedSettings;
  /** Dotted name of each setting that was derived, to what it was derived from. */
  readonly derived: ReadonlyMap<string, string>;
}

/** Fills in what was not given, and makes paths absolute. */
export function resolveDefaults(settings: Settings, machine: Machine): Resolution {
  const derived = new Map<string, string>();
  const absolute = (path: string) => {
    const home = machine.home !== undefined && /^~(\/|$)/.test(path) ? join(machine.home, path.slice(1)) : path;
    return resolve(machine.workingDirectory, home);
  };
  const or = <Value>(given: Value | undefined, name: string, fallback: () => readonly [Value, string]): Value => {
    if (given !== undefined) return given;
    const [value, from] = fallback();
    derived.set(name, from);
    return value;
  };

  const spoolPath = or(settings.spool.path, 'spool.path', () => {
    const [directory, from] = stateDirectory(machine);
    return [join(directory, 'spool.db'), from];
  });
  const spool = { ...settings.spool, path: absolute(spoolPath) };
  const sqlitePath = or(settings.sqlite.path, 'sqlite.path', () => [
    join(dirname(spool.path), 'metrics.db'),
    'spool.path',
  ]);
  const address = or(settings.http.address, 'http.address', () => [
    settings.mode === 'writer' ? '127.0.0.1:9465' : '127.0.0.1:9464',
    'mode',
  ]);
  const hostRoot = absolute(settings.collect.host_root);
  const hostname = or(settings.collect.hostname, 'collect.hostname', () => [
    machine.hostname(hostRoot),
    hostRoot === '/' ? 'the system' : `${hostRoot}/etc/hostname`,
  ]);
  const { interval } = settings.collect;
  // A collector must be done before the next sample is due.
  const timeout = Math.min(settings.collect.timeout, Math.floor(interval / 2));
  if (timeout < settings.collect.timeout) derived.set('collect.timeout', 'half of collect.interval');

  const { tls } = settings.kafka;
  const { tls: httpTls } = settings.http;
  const resolved: ResolvedSettings = {
    ...settings,
    collect: { ...settings.collect, hostname, host_root: hostRoot, timeout },
    spool,
    kafka: { ...settings.kafka, tls: { ...tls, ...absolutePaths(tls, ['ca', 'cert', 'key'], absolute) } },
    sqlserver: { ...settings.sqlserver, ...absolutePaths(settings.sqlserver, ['ca'], absolute) },
    sqlite: { ...settings.sqlite, path: absolute(sqlitePath) },
    http: { ...settings.http, address, tls: { ...httpTls, ...absolutePaths(httpTls, ['cert', 'key'], absolute) } },
  };
  return { settings: resolved, derived };
}

function absolutePaths<Key extends string>(
  group: { readonly [K in Key]?: string | undefined },
  keys: readonly Key[],
  absolute: (path: string) => string,
): { [K in Key]?: string } {
  const paths: { [K in Key]?: string } = {};
  for (const key of keys) {
    const path = group[key];
    if (path !== undefined) paths[key] = absolute(path);
  }
  return paths;
}

/** The directory of the state, and what says so. */
function stateDirectory({ env, home }: Machine): readonly [string, string] {
  // systemd passes several of a service's directories separated by colons; the first is the service's own.
  const [service = ''] = (env.STATE_DIRECTORY ?? '').split(':');
  if (isAbsolute(service)) return [service, '$STATE_DIRECTORY'];
  const xdg = env.XDG_STATE_HOME ?? '';
  // The XDG rules: a relative path there is to be ignored.
  if (isAbsolute(xdg)) return [join(xdg, 'hostspool'), '$XDG_STATE_HOME'];
  if (home !== undefined && isAbsolute(home)) return [join(home, '.local', 'state', 'hostspool'), 'the home directory'];
  return ['/var/lib/hostspool', 'no home directory'];
}
