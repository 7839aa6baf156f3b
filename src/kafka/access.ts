/**
 * How to get in at the brokers: the files of kafka.tls and the login of kafka.sasl, as they are now.
 *
 * Whoever holds connections shares one of these and asks it for each connection that is built, so a renewed file is
 * taken without a restart. `renew`, at a SIGHUP, takes other names and passwords too; where anything changed `version`
 * rises, and each holder replaces what it has before its next request: requests under way are answered on the old one.
 *
 * Once files were good, bad ones change nothing: the last good ones stay in use, which the log says once, at `error`,
 * and `problem` for as long as it lasts. Certificates are often written as two files, one after the other.
 */
import { createHash } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import type { Settings } from '../config/schema.ts';
import type { CertificateFile } from '../lib/certificate-file.ts';
import { asError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { tlsOptions } from './tls.ts';

type KafkaSettings = Settings['kafka'];

export interface Credentials {
  readonly version: number;
  readonly tls: ConnectionOptions | undefined;
  readonly sasl: KafkaSettings['sasl'];
}

export class KafkaAccess {
  readonly #log: Log;
  #settings: Pick<KafkaSettings, 'tls' | 'sasl'>;
  #version = 1;
  #good: { readonly tls: ConnectionOptions | undefined } | undefined;
  #problem: string | undefined;

  /** Reads nothing yet. */
  constructor(settings: Pick<KafkaSettings, 'tls' | 'sasl'>, log: Log) {
    this.#settings = settings;
    this.#log = log;
  }

  /** Rises when a connection that was built before should be replaced. */
  get version(): number {
    return this.#version;
  }

  /** Why older files are in use than there are, for a person; undefined when they are not. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** The files in use, as they were last read. */
  get certificates(): readonly CertificateFile[] {
    const { ca, cert } = this.#good?.tls ?? {};
    return [
      ...(typeof ca === 'string' ? [{ setting: 'kafka.tls.ca', use: 'trusted', pem: ca } as const] : []),
      ...(typeof cert === 'string' ? [{ setting: 'kafka.tls.cert', use: 'shown', pem: cert } as const] : []),
    ];
  }

  /** For a connection that is built now. Throws KAFKA_TLS_FILE where the files were never good. */
  credentials(): Credentials {
    const tls = this.#read(this.#settings.tls);
    return { version: this.#version, tls, sasl: this.#settings.sasl };
  }

  /** Takes over what can change while it runs: the files' names and contents, user and password. */
  renew({ tls, sasl }: Pick<KafkaSettings, 'tls' | 'sasl'>): void {
    const before = this.#settings;
    const files = this.#good?.tls;
    const { ca, cert, key } = tls;
    this.#settings = {
      tls: { ...before.tls, ca, cert, key },
      sasl: { ...before.sasl, username: sasl.username, password: sasl.password },
    };
    let now: ConnectionOptions | undefined;
    try {
      now = this.#read(this.#settings.tls);
    } catch (error) {
      // Nothing was ever read; whoever connects is told.
      this.#log.error({ event: 'kafka_tls_not_renewed', err: asError(error) });
      return;
    }
    const same = isDeepStrictEqual(before.sasl, this.#settings.sasl) && isDeepStrictEqual(files, now);
    if (same) return;
    this.#version++;
    this.#log.info({ event: 'kafka_access_renewed', ...fingerprints(now) });
  }

  #read(tls: KafkaSettings['tls']): ConnectionOptions | undefined {
    try {
      this.#good = { tls: tlsOptions(tls) };
      this.#problem = undefined;
      return this.#good.tls;
    } catch (thrown) {
      if (this.#good === undefined) throw thrown;
      const error = asError(thrown);
      if (this.#problem !== error.message) {
        this.#log.error({ event: 'kafka_tls_not_renewed', err: error }, 'the certificates in use stay in use');
      }
      this.#problem = error.message;
      return this.#good.tls;
    }
  }
}

/** By which a person tells that the right files are in use; of what is public alone. */
function fingerprints(tls: ConnectionOptions | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of ['ca', 'cert'] as const) {
    const text = tls?.[name];
    if (typeof text === 'string')
      found[`${name}_sha256`] = createHash('sha256').update(text).digest('hex').slice(0, 16);
  }
  return found;
}
