/**
 * The files of kafka.tls as TLS options, read anew each time. A file that is missing or no PEM stops with the setting's
 * name and the file's, before any broker is asked.
 *
 * What Node would do by itself is said all the same: its own defaults are whatever an environment variable
 * (NODE_TLS_REJECT_UNAUTHORIZED) or an option of node makes of them.
 */
import type { ConnectionOptions } from 'node:tls';
import type { Settings } from '../config/schema.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import { readPem } from '../lib/pem-file.ts';
import { tlsModule } from '../lib/tls-module.ts';

type TlsSettings = Settings['kafka']['tls'];

/** Undefined when TLS is off; throws KAFKA_TLS_FILE. */
export function tlsOptions(settings: TlsSettings): ConnectionOptions | undefined {
  if (!settings.enabled) return undefined;
  const { ca, cert, key } = settings;
  const options: ConnectionOptions = {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca: readPem('certificate', 'kafka.tls.ca', ca, 'KAFKA_TLS_FILE') }),
    ...(cert === undefined ? {} : { cert: readPem('certificate', 'kafka.tls.cert', cert, 'KAFKA_TLS_FILE') }),
    ...(key === undefined ? {} : { key: readPem('key', 'kafka.tls.key', key, 'KAFKA_TLS_FILE') }),
  };
  try {
    tlsModule().createSecureContext(options);
  } catch (error) {
    throw new HostspoolError(
      'KAFKA_TLS_FILE',
      `kafka.tls.cert (${cert}) and kafka.tls.key (${key}) can't be used together: ${asError(error).message}`,
      { hint: 'the key must be the one that the certificate was made for', cause: error },
    );
  }
  return options;
}
