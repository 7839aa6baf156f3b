/** Files in PEM form that settings name. What is wrong with one is said with the setting's and the file's names. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { errorCode, HostspoolError } from './errors.ts';

const KINDS = {
  certificate: { what: 'certificate', parse: (pem: string) => new X509Certificate(pem) },
  key: { what: 'private key without a passphrase', parse: (pem: string) => createPrivateKey(pem) },
} as const;

/** The file's content, never quoted in an error; throws `code`. */
export function readPem(kind: keyof typeof KINDS, setting: string, path: string, code: string): string {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    throw new HostspoolError(code, `${setting}: ${path} can't be read (${errorCode(error)})`, {
      hint: 'check the path, and that the user hostspool runs as may read the file',
      cause: error,
    });
  }
  const { what, parse } = KINDS[kind];
  try {
    parse(pem);
  } catch (error) {
    throw new HostspoolError(code, `${setting}: ${path} holds no ${what} in PEM form`, { cause: error });
  }
  return pem;
}
