/**
 * The files of kafka.tls as TLS options, read anew for each connection that is built: a renewed certificate is taken
 * without a restart. A file that is missing or no PEM stops with the setting's name and the file's, before any broker
 * is asked.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import type { Settings } from '../config/schema.ts';
import { asError, errorCode, HostspoolError } from '../lib/errors.ts';

type TlsSettings = Settings['kafka']['tls'];

/** Undefined when TLS is off; throws KAFKA_TLS_FILE. */
export function tlsOptions(settings: TlsSettings): ConnectionOptions | undefined {
  if (!settings.enabled) return undefined;
  const { ca, cert, key } = settings;
  const options: ConnectionOptions = {
    ...(ca === undefined ? {} : { ca: readPem('kafka.tls.ca', ca, (pem) => new X509Certificate(pem)) }),
    ...(cert === undefined ? {} : { cert: readPem('kafka.tls.cert', cert, (pem) => new X509Certificate(pem)) }),
    ...(key === undefined ? {} : { key: readPem('kafka.tls.key', key, (pem) => createPrivateKey(pem)) }),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new HostspoolError(
      'KAFKA_TLS_FILE',
      `kafka.tls.cert (${cert}) and kafka.tls.key (${key}) can't be used together: ${asError(error).message}`,
      { hint: 'the key must be the one that the certificate was made for', cause: error },
    );
  }
  return options;
}

/** `parse` throws what is wrong with the content; its message never quotes the content. */
function readPem(setting: string, path: string, parse: (pem: string) => unknown): string {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    throw new HostspoolError('KAFKA_TLS_FILE', `${setting}: ${path} can't be read (${errorCode(error)})`, {
      hint: 'check the path, and that the user hostspool runs as may read the file',
      cause: error,
    });
  }
  try {
    parse(pem);
  } catch (error) {
    const what = setting.endsWith('key') ? 'private key without a passphrase' : 'certificate';
    throw new HostspoolError('KAFKA_TLS_FILE', `${setting}: ${path} holds no ${what} in PEM form`, { cause: error });
  }
  return pem;
}
