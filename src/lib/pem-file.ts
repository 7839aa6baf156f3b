/** Files in PEM form that settings name. What is wrong with one is said with the setting's and the file's names. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { HostspoolError } from './errors.ts';
import { readRegularFile } from './regular-file.ts';

const KINDS = {
  certificate: { what: 'certificate', parse: (pem: string) => new X509Certificate(pem) },
  key: { what: 'private key without a passphrase', parse: (pem: string) => createPrivateKey(pem) },
} as const;

/** All the authorities that a system trusts take some hundred KiB. */
const LIMIT = 4 * 1024 * 1024;

/** The file's content, never quoted in an error; throws `code`. */
export function readPem(kind: keyof typeof KINDS, setting: string, path: string, code: string): string {
  const file = readRegularFile(path, LIMIT);
  if ('problem' in file) {
    throw new HostspoolError(code, `${setting}: ${path} can't be read: ${file.problem}`, {
      hint: 'check the path, and that the user hostspool runs as may read the file',
    });
  }
  // What is around the PEM blocks may be in any encoding.
  const pem = file.bytes.toString('utf8');
  const { what, parse } = KINDS[kind];
  try {
    parse(pem);
  } catch (error) {
    throw new HostspoolError(code, `${setting}: ${path} holds no ${what} in PEM form`, { cause: error });
  }
  return pem;
}
