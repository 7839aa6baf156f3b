/**
 * From the settings to kafkajs: everything that its producers, consumers and admin clients have in common.
 *
 * kafkajs never retries here (`retries: 0`): whoever calls owns the waiting, and one attempt stays one attempt. Each
 * connection has its own sockets, so that it can be ended for certain whatever state kafkajs is in. An idle
 * connection costs nothing: no polling for request timeouts either unless it is asked for, so who doesn't ask must
 * bound the waits itself, as the producer does.
 */
import type { KafkaConfig, LogEntry, SASLOptions } from 'kafkajs';
import type { Settings } from '../config/schema.ts';
import { HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { KafkaAccess } from './access.ts';
import { guardAnswers } from './answer-guard.ts';
import { registerCodecs } from './codecs.ts';
import { guardLengths } from './decoder-guard.ts';
import { guardFrames } from './frame-guard.ts';
import { quietIdleConnections } from './idle-timer.ts';
import { KAFKAJS_LOG_LEVEL, kafkajsLog } from './log.ts';
import { Sockets } from './sockets.ts';

export interface ConnectionOptions {
  readonly settings: Settings['kafka'];
  readonly log: Log;
  /** Shared by those whose credentials change together. */
  readonly access?: KafkaAccess;
  /** The broker to ask first, as an index into `kafka.brokers`, modulo their number. */
  readonly firstBroker?: number;
  /** Let kafkajs itself time requests out: ten wake-ups a second on each connection. */
  readonly enforceRequestTimeout?: boolean;
  /** Also sees each of kafkajs' log entries. */
  readonly observe?: (entry: LogEntry) => void;
}

export class KafkaConnection {
  /** What the parts of kafkajs are made with. */
  readonly config: KafkaConfig;
  readonly sockets: Sockets;
  /** That of `access` when this was built. */
  readonly version: number;

  private constructor(config: KafkaConfig, sockets: Sockets, version: number) {
    this.config = config;
    this.sockets = sockets;
    this.version = version;
  }

  /** Connects to nothing yet. Throws KAFKA_BROKERS_MISSING, KAFKA_TLS_FILE, KAFKA_SASL_SETTINGS. */
  static open(options: ConnectionOptions): KafkaConnection {
    quietIdleConnections();
    guardFrames();
    guardLengths();
    guardAnswers();
    registerCodecs();
    const sockets = new Sockets();
    const { access = new KafkaAccess(options.settings, options.log) } = options;
    const config = kafkajsConfig(options, access, sockets);
    return new KafkaConnection(config, sockets, access.version);
  }

  /** Ends every socket now and for ever, answered or not. */
  destroy(): void {
    this.sockets.destroy();
  }
}

function kafkajsConfig(options: ConnectionOptions, access: KafkaAccess, sockets: Sockets): KafkaConfig {
  const { settings, log, firstBroker = 0, enforceRequestTimeout = false, observe } = options;
  const { brokers } = settings;
  if (brokers.length === 0) {
    throw new HostspoolError('KAFKA_BROKERS_MISSING', 'kafka.brokers is not set', { hint: 'set it to host:port' });
  }
  const first = firstBroker % brokers.length;
  const inOrder = [...brokers.slice(first), ...brokers.slice(0, first)].map((broker) => sockets.alias(broker));
  const { tls: ssl, sasl: login } = access.credentials();
  const sasl = saslOptions(login);
  return {
    clientId: settings.client_id,
    brokers: inOrder,
    connectionTimeout: Math.min(settings.connect_timeout, settings.request_timeout),
    authenticationTimeout: Math.min(settings.connect_timeout, settings.request_timeout),
    requestTimeout: settings.request_timeout,
    enforceRequestTimeout,
    retry: { retries: 0 },
    socketFactory: sockets.factory,
    logLevel: KAFKAJS_LOG_LEVEL,
    logCreator: kafkajsLog(log, observe),
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

function saslOptions(settings: Settings['kafka']['sasl']): SASLOptions | undefined {
  const { mechanism, username, password } = settings;
  if (mechanism === undefined) return undefined;
  if (username === undefined || password === undefined) {
    const missing = username === undefined ? 'kafka.sasl.username' : 'kafka.sasl.password';
    throw new HostspoolError('KAFKA_SASL_SETTINGS', `kafka.sasl.mechanism is ${mechanism}, but ${missing} is not set`, {
      hint: `set ${missing}, or leave kafka.sasl.mechanism out`,
    });
  }
  return { mechanism, username, password } as SASLOptions;
}
