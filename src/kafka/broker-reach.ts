/** How far a broker can be reached before Kafka is spoken, in the product's words; lib/reach.ts does it. */
import type { Settings } from '../config/schema.ts';
import { asError, errorCode, HostspoolError } from '../lib/errors.ts';
import { reachTls, splitAddress, type TlsFacts } from '../lib/reach.ts';
import { tlsOptions } from './tls.ts';
import { brokerTlsProblem, certificateProblem } from './tls-errors.ts';

const NAMES_SHOWN = 10;

/** Rejects with KAFKA_TLS; what the certificate says is in the message. */
export async function reachBrokerTls(
  settings: Settings['kafka'],
  address: string,
  signal: AbortSignal,
): Promise<TlsFacts> {
  let facts: TlsFacts;
  try {
    facts = await reachTls(splitAddress(address), tlsOptions(settings.tls) ?? {}, signal);
  } catch (error) {
    throw signal.aborted ? error : noHandshake(address, error);
  }
  if (facts.problem === undefined) return facts;
  const { says, hint } = certificateProblem(facts.problem);
  throw new HostspoolError('KAFKA_TLS', `no TLS connection to broker ${address}: ${says}${told(facts)}`, { hint });
}

/** Whether TLS is spoken there, with whatever certificate. */
export async function speaksTls(address: string, signal: AbortSignal): Promise<boolean> {
  try {
    await reachTls(splitAddress(address), {}, signal);
    return true;
  } catch {
    return false;
  }
}

/** The fact about the certificate that the problem is about. */
function told({ problem, certificate: { issuer, names, subject, validFrom, validTo } }: TlsFacts): string {
  switch (problem) {
    case 'CERT_HAS_EXPIRED':
      return ` (on ${day(validTo)})`;
    case 'CERT_NOT_YET_VALID':
      return ` (from ${day(validFrom)} on)`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return ` (${names === '' ? subject : someOf(names)})`;
    default:
      return ` (issued by “${issuer}”)`;
  }
}

/** Certificates of content networks have hundreds. */
function someOf(names: string): string {
  const all = names.split(', ');
  const more = all.length - NAMES_SHOWN;
  return more > 0 ? `${all.slice(0, NAMES_SHOWN).join(', ')} and ${more} more` : names;
}

function noHandshake(address: string, error: unknown): HostspoolError {
  const code = errorCode(error) ?? '';
  // The connection was there: what ends it now does not like how it began.
  const { says, hint } = brokerTlsProblem(code, asError(error).message) ?? {
    says: 'it ended the connection during the handshake, so this port does not seem to speak TLS',
    hint: 'set kafka.tls.enabled to false, or kafka.brokers to the port of a TLS listener',
  };
  return new HostspoolError('KAFKA_TLS', `no TLS connection to broker ${address}: ${says}`, { hint, cause: error });
}

export function day(ms: number): string {
  return Number.isNaN(ms) ? 'an unknown day' : new Date(ms).toISOString().slice(0, 10);
}
