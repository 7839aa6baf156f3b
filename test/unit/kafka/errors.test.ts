import kafkajs from 'kafkajs';
import { createErrorFromCode, errorCodes } from 'kafkajs/src/protocol/error.js';
import { describe, expect, it } from 'vitest';
import { isBrokersAnswer, toKafkaError } from '../../../src/kafka/errors.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';

// What kafkajs wraps everything in; not among the names that Node finds in a CommonJS module.
const { KafkaJSConnectionError, KafkaJSNumberOfRetriesExceeded } = kafkajs;

const context = { brokers: ['kafka-1:9092', 'kafka-2:9092'], topic: 'server-metrics' };

function wrapped(cause: Error): Error {
  return new KafkaJSNumberOfRetriesExceeded(cause, { retryCount: 0, retryTime: 300 });
}

function answer(type: string): Error {
  const known = errorCodes.find((error) => error.type === type);
  if (known === undefined) throw new Error(`kafkajs does not know ${type}`);
  return createErrorFromCode(known.code);
}

describe('what Kafka answered', () => {
  it.each([
    ['UNKNOWN_TOPIC_OR_PARTITION', 'KAFKA_UNKNOWN_TOPIC', false],
    ['TOPIC_AUTHORIZATION_FAILED', 'KAFKA_AUTHORIZATION', false],
    ['CLUSTER_AUTHORIZATION_FAILED', 'KAFKA_AUTHORIZATION', false],
    ['SASL_AUTHENTICATION_FAILED', 'KAFKA_AUTHENTICATION', false],
    ['MESSAGE_TOO_LARGE', 'KAFKA_MESSAGE_TOO_LARGE', false],
    ['RECORD_LIST_TOO_LARGE', 'KAFKA_MESSAGE_TOO_LARGE', false],
    ['INVALID_RECORD', 'KAFKA_INVALID_RECORD', false],
    ['INVALID_TIMESTAMP', 'KAFKA_INVALID_TIMESTAMP', false],
    ['INVALID_TOPIC_EXCEPTION', 'KAFKA_INVALID_TOPIC', false],
    ['UNSUPPORTED_COMPRESSION_TYPE', 'KAFKA_COMPRESSION', false],
    ['NOT_ENOUGH_REPLICAS', 'KAFKA_NOT_ENOUGH_REPLICAS', true],
    ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'KAFKA_NOT_ENOUGH_REPLICAS', true],
    ['NOT_LEADER_FOR_PARTITION', 'KAFKA_NO_LEADER', true],
    ['LEADER_NOT_AVAILABLE', 'KAFKA_NO_LEADER', true],
    ['REQUEST_TIMED_OUT', 'KAFKA_TIMEOUT', true],
    ['KAFKA_STORAGE_ERROR', 'KAFKA_OTHER', true],
    ['POLICY_VIOLATION', 'KAFKA_OTHER', false],
  ])('%s is %s, retryable %s, bare and wrapped alike', (type, code, retryable) => {
    for (const thrown of [answer(type), wrapped(answer(type)), wrapped(wrapped(answer(type)))]) {
      const error = toKafkaError(thrown, context);
      expect(error).toMatchObject({ code, retryable, cause: thrown });
      expect(error.message).toContain(type);
      expect(isBrokersAnswer(thrown)).toBe(true);
    }
  });

  it('names the topic', () => {
    expect(toKafkaError(answer('MESSAGE_TOO_LARGE'), context).message).toContain('server-metrics');
  });

  it('of an unheard-of kind keeps the spool: it is no refusal of a sample', () => {
    const error = toKafkaError(wrapped(createErrorFromCode(999)), context);
    expect(error.code).toBe('KAFKA_OTHER');
    expect(error.message).toContain('999');
  });
});

describe('what became of the connection', () => {
  it.each([
    ['ECONNREFUSED', 'nothing listens there'],
    ['ENOTFOUND', 'no such host name'],
    ['EAI_AGAIN', 'cannot be resolved'],
    ['EHOSTUNREACH', 'no route'],
    ['ETIMEDOUT', 'timed out'],
    ['ECONNRESET', 'was reset'],
  ])('%s says in words that the broker cannot be reached', (code, words) => {
    const error = toKafkaError(
      wrapped(new KafkaJSConnectionError('Connection error', { broker: 'kafka-2:9092', code })),
      context,
    );
    expect(error).toMatchObject({ code: 'KAFKA_UNREACHABLE', retryable: true });
    expect(error.message).toContain('kafka-2:9092');
    expect(error.message).toContain(words);
  });

  it('says so when no connection came about in time', () => {
    const error = toKafkaError(
      wrapped(new KafkaJSConnectionError('Connection timeout', { broker: 'kafka-1:9092' })),
      context,
    );
    expect(error).toMatchObject({ code: 'KAFKA_UNREACHABLE', retryable: true });
    expect(error.message).toContain('kafka.connect_timeout');
  });

  it.each([
    ['CERT_HAS_EXPIRED', 'has expired'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'not trusted'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'not trusted'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'another name'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'does not begin with TLS'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'wants one and got none'],
    ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'wants one and got none'],
    ['ERR_SSL_SOMETHING_NEW', 'the message of OpenSSL'],
  ])('%s is a TLS problem that a person must solve, in words', (code, words) => {
    const thrown = wrapped(
      new KafkaJSConnectionError('Connection error: the message of OpenSSL', { broker: 'kafka-1:9092', code }),
    );
    const error = toKafkaError(thrown, context);
    expect(error).toMatchObject({ code: 'KAFKA_TLS', retryable: false });
    expect(error.message).toContain(words);
    expect(error.hint).toMatch(/kafka\.(tls|brokers)|clock/);
    expect(isBrokersAnswer(thrown)).toBe(false);
  });
});

describe('everything else', () => {
  it('a login that kafkajs saw fail is an authentication error', () => {
    const error = toKafkaError(
      Object.assign(new Error('SASL PLAIN authentication failed'), { name: 'KafkaJSSASLAuthenticationError' }),
      context,
    );
    expect(error).toMatchObject({ code: 'KAFKA_AUTHENTICATION', retryable: false });
  });

  it('an error of ours stays as it is', () => {
    const ours = new HostspoolError('KAFKA_TLS_FILE', 'no such file');
    expect(toKafkaError(ours, context)).toBe(ours);
  });

  it('whatever was thrown becomes one error that names the brokers', () => {
    for (const thrown of ['text', undefined, { odd: true }, new TypeError('oops')]) {
      const error = toKafkaError(thrown, context);
      expect(error).toBeInstanceOf(HostspoolError);
      expect(error.code).toBe('KAFKA_OTHER');
      expect(error.message).toContain('kafka-1:9092');
    }
  });

  it('a circle of causes is no trap', () => {
    const first = new Error('first');
    const second = new Error('second', { cause: first });
    first.cause = second;
    expect(toKafkaError(second, context).code).toBe('KAFKA_OTHER');
  });
});
