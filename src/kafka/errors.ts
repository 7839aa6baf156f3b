/**
 * What went wrong with Kafka, in the product's words.
 *
 * kafkajs wraps: retries exceeded, around a protocol error or a connection error, around a system error. The chain of
 * causes is searched from the outside for the first thing that says what happened: a protocol error's type, a failed
 * login, the code of a TLS or system error, a connection that ended. The code decides what callers do; the message
 * names broker and topic; kafkajs' error stays as the cause.
 *
 * `retryable` says whether it can pass without anybody changing anything; a person must act on the others. The spool
 * is kept in either case.
 */
import { connectionWords } from '../lib/connection-words.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import { brokerTlsProblem } from './tls-errors.ts';

export interface ErrorContext {
  /** The brokers asked, as configured. */
  readonly brokers: readonly string[];
  readonly topic?: string;
  readonly group?: string;
}

const NO_KAFKA =
  'look what listens there: kafka.brokers may name another port, one that wants TLS (kafka.tls.enabled), or a proxy';

interface Meaning {
  readonly code: string;
  readonly says: (context: ErrorContext) => string;
  readonly hint?: string;
  readonly retryable: boolean;
}

const topicOf = (context: ErrorContext): string => context.topic ?? '(none)';

const noLeader: Meaning = {
  code: 'KAFKA_NO_LEADER',
  says: (context) => `a partition of topic ${topicOf(context)} has no leader at the moment`,
  retryable: true,
};
const unauthorized: Meaning = {
  code: 'KAFKA_AUTHORIZATION',
  says: (context) => `Kafka does not allow this user to use topic ${topicOf(context)}`,
  hint: 'grant the user of kafka.sasl.username (or of the client certificate) the rights on the topic',
  retryable: false,
};
const groupUnauthorized: Meaning = {
  code: 'KAFKA_AUTHORIZATION',
  says: (context) => `Kafka does not allow this user to use group ${context.group ?? '(none)'}`,
  hint: 'grant the user of kafka.sasl.username (or of the client certificate) Read on the group',
  retryable: false,
};
const groupUnsettled: Meaning = {
  code: 'KAFKA_GROUP_UNSETTLED',
  says: (context) => `group ${context.group ?? '(none)'} is changing hands or members`,
  retryable: true,
};
const loginRefused: Meaning = {
  code: 'KAFKA_AUTHENTICATION',
  says: (context) => `Kafka at ${context.brokers.join(', ')} refused the login`,
  hint: 'check kafka.sasl.mechanism, kafka.sasl.username and kafka.sasl.password',
  retryable: false,
};
const tooLarge: Meaning = {
  code: 'KAFKA_MESSAGE_TOO_LARGE',
  says: (context) => `what was sent is larger than topic ${topicOf(context)} takes`,
  hint: 'raise max.message.bytes of the topic, or lower ship.batch_bytes',
  retryable: false,
};
const tooFewReplicas: Meaning = {
  code: 'KAFKA_NOT_ENOUGH_REPLICAS',
  says: (context) => `topic ${topicOf(context)} has fewer replicas in sync than min.insync.replicas wants`,
  retryable: true,
};

const PROTOCOL_ERRORS: Readonly<Record<string, Meaning>> = {
  UNKNOWN_TOPIC_OR_PARTITION: {
    code: 'KAFKA_UNKNOWN_TOPIC',
    says: (context) => `there is no topic ${topicOf(context)} on the brokers ${context.brokers.join(', ')}`,
    hint: 'create the topic, or set kafka.topic to one that exists',
    retryable: false,
  },
  INVALID_TOPIC_EXCEPTION: {
    code: 'KAFKA_INVALID_TOPIC',
    says: (context) => `Kafka does not take ${topicOf(context)} as the name of a topic for messages`,
    hint: 'set kafka.topic to another name',
    retryable: false,
  },
  TOPIC_AUTHORIZATION_FAILED: unauthorized,
  CLUSTER_AUTHORIZATION_FAILED: unauthorized,
  GROUP_AUTHORIZATION_FAILED: groupUnauthorized,
  GROUP_LOAD_IN_PROGRESS: groupUnsettled,
  GROUP_COORDINATOR_NOT_AVAILABLE: groupUnsettled,
  NOT_COORDINATOR_FOR_GROUP: groupUnsettled,
  REBALANCE_IN_PROGRESS: groupUnsettled,
  UNKNOWN_MEMBER_ID: groupUnsettled,
  ILLEGAL_GENERATION: groupUnsettled,
  INCONSISTENT_GROUP_PROTOCOL: {
    code: 'KAFKA_GROUP_FOREIGN',
    says: (context) => `other programs than hostspool are members of group ${context.group ?? '(none)'}`,
    hint: 'stop them, or set kafka.group to a name that only hostspool’s writers use',
    retryable: false,
  },
  INVALID_SESSION_TIMEOUT: {
    code: 'KAFKA_SESSION_TIMEOUT',
    says: () => 'the brokers do not allow this kafka.session_timeout',
    hint: 'set it between the brokers’ group.min.session.timeout.ms and group.max.session.timeout.ms',
    retryable: false,
  },
  SASL_AUTHENTICATION_FAILED: loginRefused,
  UNSUPPORTED_SASL_MECHANISM: loginRefused,
  ILLEGAL_SASL_STATE: loginRefused,
  MESSAGE_TOO_LARGE: tooLarge,
  RECORD_LIST_TOO_LARGE: tooLarge,
  INVALID_RECORD: {
    code: 'KAFKA_INVALID_RECORD',
    says: (context) => `topic ${topicOf(context)} refused a message as invalid`,
    retryable: false,
  },
  INVALID_TIMESTAMP: {
    code: 'KAFKA_INVALID_TIMESTAMP',
    says: (context) => `topic ${topicOf(context)} refused the time of sending: it is too far from the broker's clock`,
    hint: 'set the clock of this host, or of the broker',
    retryable: false,
  },
  UNSUPPORTED_COMPRESSION_TYPE: {
    code: 'KAFKA_COMPRESSION',
    says: (context) => `the brokers ${context.brokers.join(', ')} don't take this compression`,
    hint: 'set kafka.compression to another codec',
    retryable: false,
  },
  NOT_ENOUGH_REPLICAS: tooFewReplicas,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: tooFewReplicas,
  LEADER_NOT_AVAILABLE: noLeader,
  NOT_LEADER_FOR_PARTITION: noLeader,
  REPLICA_NOT_AVAILABLE: noLeader,
  FENCED_LEADER_EPOCH: noLeader,
  UNKNOWN_LEADER_EPOCH: noLeader,
  REQUEST_TIMED_OUT: {
    code: 'KAFKA_TIMEOUT',
    says: (context) => `the replicas of topic ${topicOf(context)} did not confirm in time`,
    retryable: true,
  },
};

/** What kafkajs threw, or whatever else, as a HostspoolError with a stable KAFKA_… code. */
export function toKafkaError(thrown: unknown, context: ErrorContext): HostspoolError {
  if (thrown instanceof HostspoolError) return thrown;
  const chain = causes(thrown);
  for (const error of chain) {
    const known = protocolError(error, context, thrown) ?? connectionError(error, context, thrown);
    if (known !== undefined) return known;
  }
  const { message } = asError(chain.at(-1));
  const retryable = (thrown as { retriable?: unknown } | null)?.retriable !== false || isRetryEnvelope(thrown);
  return new HostspoolError('KAFKA_OTHER', `Kafka at ${context.brokers.join(', ')}: ${message}`, {
    retryable,
    cause: thrown,
  });
}

/** Whoever wants a partition that nobody leads. */
export function noLeaderError(topic: string, partition: number): HostspoolError {
  return new HostspoolError(noLeader.code, `partition ${partition} of topic ${topic} has no leader at the moment`, {
    retryable: true,
  });
}

/** Kafka's name of the error that a broker answered with; undefined when it is not a broker's answer that failed. */
export function answeredError(thrown: unknown): string | undefined {
  const { type } = causes(thrown).find(isAnswer) ?? {};
  return typeof type === 'string' ? type : undefined;
}

/** Whether a broker answered, and the answer is what failed: the connection itself is sound. */
export function isBrokersAnswer(thrown: unknown): boolean {
  return causes(thrown).some(isAnswer);
}

function isAnswer(error: KafkaJsError): boolean {
  return typeof error.type === 'string' && typeof error.code === 'number';
}

interface KafkaJsError extends Error {
  readonly type?: unknown;
  readonly code?: unknown;
  readonly broker?: unknown;
  readonly retriable?: unknown;
}

/** The error and what caused it, outermost first. */
function causes(thrown: unknown): KafkaJsError[] {
  const chain: KafkaJsError[] = [];
  for (let error: unknown = thrown; error instanceof Error && chain.length < 10; error = error.cause) {
    if (chain.includes(error)) break;
    chain.push(error);
  }
  return chain.length > 0 ? chain : [asError(thrown)];
}

/** "Retries exceeded" says that kafkajs may not go on, not that we should not. */
function isRetryEnvelope(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'KafkaJSNumberOfRetriesExceeded';
}

function protocolError(error: KafkaJsError, context: ErrorContext, cause: unknown): HostspoolError | undefined {
  if (error.name === 'KafkaJSSASLAuthenticationError') {
    return meaning(loginRefused, context, cause, `: ${error.message}`);
  }
  if (!isAnswer(error)) return undefined;
  const known = PROTOCOL_ERRORS[String(error.type)];
  if (known !== undefined) return meaning(known, context, cause, ` (${error.type})`);
  const where = context.topic === undefined ? '' : ` on topic ${context.topic}`;
  return new HostspoolError('KAFKA_OTHER', `Kafka answered ${error.type}${where}: ${error.message}`, {
    retryable: error.retriable === true,
    cause,
  });
}

function meaning(known: Meaning, context: ErrorContext, cause: unknown, detail = ''): HostspoolError {
  return new HostspoolError(known.code, `${known.says(context)}${detail}`, {
    ...(known.hint === undefined ? {} : { hint: known.hint }),
    retryable: known.retryable,
    cause,
  });
}

function connectionError(error: KafkaJsError, context: ErrorContext, cause: unknown): HostspoolError | undefined {
  const broker = typeof error.broker === 'string' ? error.broker : context.brokers.join(', ');
  if (typeof error.code === 'string') {
    const tls = brokerTlsProblem(error.code, error.message);
    if (tls !== undefined) {
      const { says, hint } = tls;
      return new HostspoolError('KAFKA_TLS', `no TLS connection to broker ${broker}: ${says}`, { hint, cause });
    }
    const says = connectionWords(error.code);
    if (says !== undefined) return unreachable(`broker ${broker} cannot be reached: ${says}`, cause);
  }
  switch (error.name) {
    case 'UnreadableAnswer':
      return new HostspoolError('KAFKA_UNREADABLE', `what broker ${broker} answers is not Kafka’s protocol`, {
        hint: NO_KAFKA,
        retryable: true,
        cause,
      });
    case 'KafkaJSConnectionClosedError':
      return unreachable(`broker ${broker} closed the connection`, cause);
    case 'KafkaJSBrokerNotFound':
      return unreachable('the broker that is wanted is not among those of the cluster at the moment', cause);
    case 'KafkaJSConnectionError':
      return unreachable(`broker ${broker} cannot be reached: ${plain(error.message)}`, cause);
    case 'KafkaJSRequestTimeoutError':
    case 'KafkaJSLockTimeout':
      return new HostspoolError('KAFKA_TIMEOUT', `broker ${broker} did not answer in time`, { retryable: true, cause });
    default:
      return undefined;
  }
}

function unreachable(message: string, cause: unknown): HostspoolError {
  return new HostspoolError('KAFKA_UNREACHABLE', message, {
    hint: 'check kafka.brokers, and whether the listener wants TLS or a login (kafka.tls.enabled, kafka.sasl.mechanism)',
    retryable: true,
    cause,
  });
}

function plain(message: string): string {
  if (message === 'Connection timeout') return 'no connection within kafka.connect_timeout';
  return message.replace(/^Connection error: /, '');
}
