/**
 * What settings mean together: what a mode cannot do without, and combinations that would do something else than was
 * meant. Checked by the commands that need them, so that a broker's password that is missing stops an agent and not
 * `hostspool sample`.
 */
import { HostspoolError } from '../lib/errors.ts';
import { formatDuration } from '../lib/units.ts';
import { settingsError } from './problems.ts';
import type { ResolvedSettings } from './resolve.ts';
import { HOSTNAME } from './schema.ts';

/** `kafka` is for commands that only talk to the brokers. */
export type Need = ResolvedSettings['mode'] | 'kafka';

/** Throws KAFKA_BROKERS_MISSING or SETTINGS_INVALID, with everything that stands in the way. */
export function requireFor(need: Need, settings: ResolvedSettings): void {
  const problems: string[] = [];
  if (need !== 'local') problems.push(...kafkaProblems(settings));
  if (need !== 'kafka') problems.push(...spoolProblems(settings), ...httpProblems(settings));
  if (need === 'agent') problems.push(...lingerProblems(settings));
  if (need === 'writer') problems.push(...writerProblems(settings));
  if (need === 'agent' || need === 'local') problems.push(...hostProblems(settings));
  const brokersMissing = need !== 'local' && settings.kafka.brokers.length === 0;
  if (brokersMissing && problems.length === 0) {
    throw new HostspoolError('KAFKA_BROKERS_MISSING', `${WHO[need]} needs kafka.brokers, and none is set`, {
      hint: `set it by --kafka.brokers=HOST:9092, HOSTSPOOL_KAFKA_BROKERS, KAFKA_BOOTSTRAP_SERVERS or in the settings file${
        need === 'agent' ? '; or try hostspool without any server: hostspool --mode=local' : ''
      }`,
    });
  }
  if (brokersMissing) problems.unshift(`kafka.brokers: none is set, and ${WHO[need]} needs one`);
  if (problems.length > 0) throw settingsError(problems, 'hostspool config shows what is set, and where');
}

const WHO: Readonly<Record<Need, string>> = {
  agent: 'an agent',
  writer: 'a writer',
  local: 'local mode',
  kafka: 'this command',
};

function kafkaProblems({ kafka }: ResolvedSettings): string[] {
  const problems: string[] = [];
  const { tls, sasl } = kafka;
  const tlsFiles = (['ca', 'cert', 'key'] as const).filter((name) => tls[name] !== undefined);
  if (!tls.enabled && tlsFiles.length > 0) {
    const names = tlsFiles.map((name) => `kafka.tls.${name}`).join(', ');
    problems.push(`${names}: set, but kafka.tls.enabled is false, so that everything would go in the clear`);
  }
  if (tls.cert !== undefined && tls.key === undefined) problems.push('kafka.tls.key: kafka.tls.cert is set without it');
  if (tls.key !== undefined && tls.cert === undefined) problems.push('kafka.tls.cert: kafka.tls.key is set without it');
  for (const name of ['username', 'password'] as const) {
    if (sasl.mechanism !== undefined && sasl[name] === undefined) {
      problems.push(`kafka.sasl.${name}: kafka.sasl.mechanism is ${sasl.mechanism}, which needs it`);
    }
    if (sasl.mechanism === undefined && sasl[name] !== undefined) {
      problems.push(`kafka.sasl.mechanism: kafka.sasl.${name} is set without it, so that there would be no login`);
    }
  }
  return problems;
}

/** A name that was found went through no parser; one that the contract does not take makes every sample a dead letter. */
function hostProblems({ collect: { hostname, host_root } }: ResolvedSettings): string[] {
  if (HOSTNAME.test(hostname)) return [];
  const shown = JSON.stringify(hostname);
  if (host_root !== '/') {
    const found = hostname === '' ? 'names none' : `says ${shown}, which is no host name`;
    return [
      `collect.hostname: ${host_root}/etc/hostname ${found}, and a container’s own name is not the host’s; set one`,
    ];
  }
  return [`collect.hostname: the system’s, ${shown}, is not a host name of 1 to 255 characters; set one`];
}

function spoolProblems({ backoff, collect, spool, sqlite }: ResolvedSettings): string[] {
  const problems: string[] = [];
  if (backoff.base > backoff.cap) {
    problems.push(
      `backoff.base: ${formatDuration(backoff.base)} is more than backoff.cap, ${formatDuration(backoff.cap)}`,
    );
  }
  if (spool.max_age < collect.interval) {
    problems.push(
      `spool.max_age: ${formatDuration(spool.max_age)} is less than collect.interval, ${formatDuration(collect.interval)}`,
    );
  }
  if (sqlite.path === spool.path) problems.push(`sqlite.path: it is the spool itself, ${spool.path}`);
  return problems;
}

/** Samples would be evicted for their age while Kafka is there. */
function lingerProblems({ ship, spool }: ResolvedSettings): string[] {
  if (ship.linger < spool.max_age) return [];
  return [
    `ship.linger: ${formatDuration(ship.linger)} is not less than spool.max_age, ${formatDuration(spool.max_age)}`,
  ];
}

function httpProblems({ http: { tls } }: ResolvedSettings): string[] {
  if (tls.cert !== undefined && tls.key === undefined) return ['http.tls.key: http.tls.cert is set without it'];
  if (tls.key !== undefined && tls.cert === undefined) return ['http.tls.cert: http.tls.key is set without it'];
  return [];
}

function writerProblems({ writer, sqlserver }: ResolvedSettings): string[] {
  const problems: string[] = [];
  if (writer.batch_size > writer.batch_max) {
    problems.push(`writer.batch_size: ${writer.batch_size} is more than writer.batch_max, ${writer.batch_max}`);
  }
  if (writer.sink === 'sqlserver') {
    for (const name of ['user', 'password'] as const) {
      if (sqlserver[name] === undefined) problems.push(`sqlserver.${name}: not set, and the writer logs in with it`);
    }
  }
  return problems;
}

/** Kafka's own default of max.message.bytes. */
const KAFKA_MESSAGE_BYTES = 1_048_588;

/** What works and is seldom meant. `given` are the names of the settings that somebody set. */
export function settingsWarnings(settings: ResolvedSettings, given: ReadonlySet<string>): string[] {
  const warnings: string[] = [];
  const { collect, http, kafka, mode, ship, sqlserver, writer } = settings;
  if (given.has('collect.timeout') && collect.timeout === Math.floor(collect.interval / 2)) {
    warnings.push(`collect.timeout is at most half of collect.interval: ${formatDuration(collect.timeout)}`);
  }
  if (mode !== 'local' && kafka.sasl.mechanism === 'plain' && !kafka.tls.enabled) {
    warnings.push(
      'kafka.sasl.mechanism is plain and kafka.tls.enabled false: the password goes over the network readable',
    );
  } else if (mode !== 'local' && kafka.sasl.mechanism !== undefined && !kafka.tls.enabled) {
    warnings.push(
      `kafka.sasl.mechanism is ${kafka.sasl.mechanism} and kafka.tls.enabled false: the password can be guessed from what goes over the network, and everything sent can be read and changed`,
    );
  }
  if (mode === 'agent' && ship.batch_bytes > KAFKA_MESSAGE_BYTES) {
    warnings.push(
      'ship.batch_bytes is above 1048588 bytes, which brokers take only where max.message.bytes of the topic was raised',
    );
  }
  if (http.address !== '' && !isLoopback(http.address)) {
    if (http.token === undefined) {
      warnings.push(
        `http.address ${http.address} can be reached from outside, and without http.token everybody is answered`,
      );
    } else if (http.tls.cert === undefined) {
      warnings.push(
        `http.address ${http.address} can be reached from outside, and without http.tls the token goes over the network readable`,
      );
    }
  }
  if (mode === 'writer' && writer.sink === 'sqlserver') {
    if (sqlserver.encrypt === 'false') {
      warnings.push('sqlserver.encrypt is false: the password and every row go over the network readable');
    } else if (sqlserver.trust_server_certificate) {
      warnings.push('sqlserver.trust_server_certificate accepts any certificate: anybody between can read along');
    }
  }
  return warnings;
}

/** Whether only this machine can connect to `host:port`. */
function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(':'));
  return host === 'localhost' || host === '[::1]' || /^127(\.[0-9]{1,3}){3}$/.test(host);
}
