/**
 * Each broker of kafka.brokers, one step after the other, so that the first that fails is the cause:
 *
 *   name ─▶ connection ─▶ TLS (where it is on) ─▶ Kafka and the login
 *
 * A broker that got through stays logged in, for what the other checks ask. A name, a port and a certificate are
 * judged before Kafka is spoken, since a broker that dislikes what it hears just closes the connection.
 */
import type { Settings } from '../../config/schema.ts';
import { reachBrokerTls, speaksTls } from '../../kafka/broker-reach.ts';
import { BrokerSession } from '../../kafka/broker-session.ts';
import { answeredError } from '../../kafka/errors.ts';
import { tlsOptions } from '../../kafka/tls.ts';
import { connectionWords } from '../../lib/connection-words.ts';
import { asError, errorCode, HostspoolError } from '../../lib/errors.ts';
import { reachTcp, resolveHost, splitAddress } from '../../lib/reach.ts';
import { fileTimeLeft, timeLeft } from './certificate-time.ts';
import { type Check, idOf, type Outcome, ok, warning } from './check.ts';
import { type CheckContext, FILE_LIMIT_MS, SILENT } from './context.ts';

/** What a listener that wants TLS may look like to who speaks without. */
const MAY_BE_TLS: ReadonlySet<string> = new Set([
  'KAFKA_UNREACHABLE',
  'KAFKA_TIMEOUT',
  'KAFKA_UNREADABLE',
  'KAFKA_OTHER',
]);

export class BrokerChecks implements Disposable {
  readonly #context: CheckContext;
  readonly #sessions: BrokerSession[] = [];
  readonly #ending = new AbortController();
  readonly #addresses: readonly string[];

  constructor(context: CheckContext) {
    this.#context = context;
    this.#addresses = [...new Set(context.settings.kafka.brokers)];
  }

  get checks(): Check[] {
    return [...this.#files(), ...this.#addresses.flatMap((address) => this.#checksOf(address))];
  }

  /** One of these is enough to ask the cluster. */
  get logins(): string[] {
    return this.#addresses.map((subject) => idOf({ name: 'broker.login', subject }));
  }

  /** A broker that took the login. */
  get session(): BrokerSession {
    const [session] = this.#sessions;
    if (session === undefined) throw new TypeError('no broker took the login');
    return session;
  }

  /** Also ends what is still on its way to a broker. */
  [Symbol.dispose](): void {
    this.#ending.abort();
    for (const session of this.#sessions) session.close();
  }

  #files(): Check[] {
    const { tls } = this.#context.settings.kafka;
    if (!tls.enabled) return [];
    const run = async () => checkFiles(tls, this.#context.clock.now());
    return [{ name: 'kafka.files', limit: FILE_LIMIT_MS, waitsFor: 'the files of kafka.tls', run }];
  }

  #checksOf(subject: string): Check[] {
    const { brokerLimit: limit, settings, clock } = this.#context;
    const common = { subject, limit, waitsFor: `broker ${subject}` };
    const { host } = splitAddress(subject);
    const { enabled } = settings.kafka.tls;
    const tls: Check = {
      ...common,
      name: 'broker.tls',
      needs: ['kafka.files', idOf({ name: 'broker.tcp', subject })],
      run: (signal) => checkTls(settings.kafka, subject, clock.now(), signal),
    };
    return [
      {
        ...common,
        name: 'broker.name',
        waitsFor: `resolving ${host}`,
        ifSilent: SILENT.names,
        run: (signal) => checkName(subject, signal),
      },
      {
        ...common,
        name: 'broker.tcp',
        ifSilent: SILENT.network,
        needs: [idOf({ name: 'broker.name', subject })],
        run: (signal) => checkTcp(subject, signal),
      },
      ...(enabled ? [tls] : []),
      {
        ...common,
        // Its steps have their limits; this one is for all of them.
        limit: 3 * limit + 1000,
        name: 'broker.login',
        needs: [idOf({ name: enabled ? 'broker.tls' : 'broker.tcp', subject })],
        run: (signal) => this.#logIn(subject, signal),
      },
    ];
  }

  async #logIn(address: string, signal: AbortSignal): Promise<Outcome> {
    const { settings, log, clock, brokerLimit: limit } = this.#context;
    const { sasl, tls } = settings.kafka;
    // Not this check's signal: the session outlives it.
    const options = { settings: settings.kafka, address, log, clock, limit, signal: this.#ending.signal };
    const session = await BrokerSession.open(options).catch(async (error: unknown) => {
      throw await explained(error, settings.kafka, address, limit);
    });
    if (signal.aborted || this.#ending.signal.aborted) session.close();
    try {
      await session.cluster();
    } catch (error) {
      session.close();
      if (error instanceof HostspoolError && error.code === 'KAFKA_UNREACHABLE') {
        throw sasl.mechanism === undefined ? wantsLogin(address, tls.enabled, error) : error;
      }
      if (!(error instanceof HostspoolError) || error.code !== 'KAFKA_VERSION') throw error;
    }
    this.#sessions.push(session);
    const { mechanism, username } = sasl;
    if (mechanism === undefined) return ok(`${address} answers, without a login`, { mechanism: null });
    return ok(`${address} took the login of ${username} (${mechanism})`, { mechanism, username: username ?? null });
  }
}

async function checkName(address: string, signal: AbortSignal): Promise<Outcome> {
  const { host } = splitAddress(address);
  try {
    const addresses = await resolveHost(host, signal);
    return ok(addresses.includes(host) ? `${host} is an address` : `${host} is ${addresses.join(', ')}`, { addresses });
  } catch (error) {
    throw unreachable(`broker ${address}`, error, 'check kafka.brokers, and the name service of this host');
  }
}

async function checkTcp(address: string, signal: AbortSignal): Promise<Outcome> {
  try {
    const { address: ip, milliseconds } = await reachTcp(splitAddress(address), signal);
    const round_trip_ms = Number(milliseconds.toFixed(1));
    return ok(`${address} takes connections (${round_trip_ms} ms)`, { address: ip, round_trip_ms });
  } catch (error) {
    throw unreachable(
      `broker ${address}`,
      error,
      'check kafka.brokers, whether the broker runs, and the network between',
    );
  }
}

/** A HostspoolError (the time limit's) stays what it is. */
export function unreachable(what: string, error: unknown, hint: string, code = 'KAFKA_UNREACHABLE'): HostspoolError {
  if (error instanceof HostspoolError) return error;
  const words = connectionWords(errorCode(error) ?? '') ?? messageOf(error);
  return new HostspoolError(code, `${what} cannot be reached: ${words}`, { hint, retryable: true, cause: error });
}

/** Of a host with several addresses each was tried. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError)
    return [...new Set(error.errors.map((each) => asError(each).message))].join('; ');
  return asError(error).message;
}

export async function checkTls(
  settings: Settings['kafka'],
  address: string,
  now: number,
  signal: AbortSignal,
): Promise<Outcome> {
  const { version, certificate } = await reachBrokerTls(settings, address, signal);
  const { isSoon, words, detail: left } = timeLeft(certificate, now);
  const { subject, issuer } = certificate;
  const detail = { tls_version: version, certificate_subject: subject, certificate_issuer: issuer, ...left };
  const finding = `${address} speaks ${version}; its certificate is valid ${words}`;
  return isSoon ? warning('KAFKA_TLS_EXPIRES', finding, 'renew the broker’s certificate', detail) : ok(finding, detail);
}

function checkFiles(tls: Settings['kafka']['tls'], now: number): Outcome {
  const { cert, ca } = tlsOptions(tls) ?? {};
  const left = fileTimeLeft('shown', cert, now);
  const ofAuthorities = fileTimeLeft('trusted', ca, now);
  if (left?.isSoon) {
    return warning(
      'KAFKA_TLS_EXPIRES',
      `${tls.cert} is valid ${left.words}`,
      'renew this client’s certificate',
      left.detail,
    );
  }
  if (ofAuthorities?.isSoon) {
    const finding = `${tls.ca} is valid ${ofAuthorities.words}`;
    return warning('KAFKA_TLS_EXPIRES', finding, 'renew the authorities of kafka.tls.ca', ofAuthorities.detail);
  }
  if (left !== undefined) return ok(`${tls.cert} is valid ${left.words}`, left.detail);
  return ok(tls.ca === undefined ? 'the system’s authorities are trusted' : tls.ca);
}

/** A connection that was there and ended at the first words: what this side says is not what the listener wants. */
async function explained(
  thrown: unknown,
  { sasl, tls }: Settings['kafka'],
  address: string,
  limit: number,
): Promise<unknown> {
  if (!(thrown instanceof HostspoolError)) return thrown;
  const { code } = thrown;
  if (answeredError(thrown.cause) === 'ILLEGAL_SASL_STATE') {
    const message = `broker ${address} takes no login on this port, and kafka.sasl.mechanism is ${sasl.mechanism}`;
    const hint = 'set kafka.brokers to the port of a listener with SASL, or leave kafka.sasl out';
    return new HostspoolError('KAFKA_AUTHENTICATION', message, { hint, cause: thrown });
  }
  if (!MAY_BE_TLS.has(code)) return thrown;
  if (!tls.enabled && (await speaksTls(address, AbortSignal.timeout(limit)))) {
    return new HostspoolError(
      'KAFKA_TLS',
      `broker ${address} speaks TLS on this port, and kafka.tls.enabled is false`,
      {
        hint: 'set kafka.tls.enabled to true, or kafka.brokers to the port of a plain listener',
        cause: thrown,
      },
    );
  }
  if (code !== 'KAFKA_UNREACHABLE') return thrown;
  if (tls.enabled && tls.cert === undefined) {
    return new HostspoolError(
      'KAFKA_TLS',
      `broker ${address} closed the connection after the TLS handshake: it wants a certificate of this client, or is no Kafka broker`,
      { hint: 'set kafka.tls.cert and kafka.tls.key to a certificate that the broker trusts', cause: thrown },
    );
  }
  return new HostspoolError('KAFKA_UNREACHABLE', `broker ${address} closed the connection at the first request`, {
    hint: 'look whether a Kafka broker is what listens on this port, and into its log',
    retryable: true,
    cause: thrown,
  });
}

function wantsLogin(address: string, tls: boolean, cause: HostspoolError): HostspoolError {
  const message = `broker ${address} closed the connection at the first request: its listener seems to want a login`;
  const hint = `set kafka.sasl.mechanism, kafka.sasl.username and kafka.sasl.password${tls ? ' (or kafka.tls.cert)' : ''}`;
  return new HostspoolError('KAFKA_AUTHENTICATION', message, { hint, cause });
}
