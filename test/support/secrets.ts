/**
 * The secrets that tests use, and the search for them in what a test run left behind.
 *
 * A secret shows in more forms than as it was typed: escaped in JSON or a URL, in base64 or hexadecimal, in the two
 * bytes a character of a database's protocol. In base64 it depends on what stands before it, so all three ways are
 * looked for, without the characters at the ends that its neighbours share.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Those that are the same in each run; `npm test` looks for them, and for MARKER, in all that it wrote. */
export const KNOWN_SECRETS: readonly string[] = [
  'correct horse; battery',
  'zq-7719-secret',
  'Zauberwort-7!',
  'Tr0ub4dor&3-ß',
  'first-token',
  'second-token',
];

/** In every secret that `newSecret` makes. */
export const MARKER = 'Xq7Geheim';

/** One of its own, with characters that quoting changes. */
export function newSecret(name: string): string {
  return `${MARKER}-${name}-"ß&%-${randomBytes(6).toString('hex')}`;
}

/** The lines in the middle of a PEM file's body: enough to know a key by. */
export function bodyOf(pem: string): string {
  return pem.split('\n').slice(1, 2).join('');
}

/** Each writing of a secret, with its name. */
export function formsOf(secret: string): ReadonlyMap<string, Buffer> {
  const bytes = Buffer.from(secret);
  const forms = new Map<string, Buffer>([
    ['plain', bytes],
    ['UTF-16', Buffer.from(secret, 'utf16le')],
    ['JSON', Buffer.from(JSON.stringify(secret).slice(1, -1))],
    ['twice JSON', Buffer.from(JSON.stringify(JSON.stringify(secret)).slice(3, -3))],
    ['URL', Buffer.from(encodeURIComponent(secret))],
    ['hexadecimal', Buffer.from(bytes.toString('hex'))],
    ['capital hexadecimal', Buffer.from(bytes.toString('hex').toUpperCase())],
    ['reversed', Buffer.from([...secret].reverse().join(''))],
  ]);
  for (const before of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const core = encoded.slice(before === 0 ? 0 : before + 1, Math.floor(((before + bytes.length) * 8) / 6));
    forms.set(`base64 after ${before}`, Buffer.from(core));
    forms.set(`base64url after ${before}`, Buffer.from(core.replaceAll('+', '-').replaceAll('/', '_')));
  }
  return forms;
}

/** What is found of the secrets, a line each that names secret and form without showing it. */
export function findSecrets(where: string, bytes: Buffer, secrets: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  for (const [name, secret] of secrets) {
    for (const [form, written] of formsOf(secret)) {
      const at = bytes.indexOf(written);
      if (at >= 0) found.push(`${where}: ${name} (${form}) at byte ${at}`);
    }
  }
  return found;
}

/** The same for every file below a directory. */
export function findSecretsBelow(directory: string, secrets: ReadonlyMap<string, string>): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .flatMap((entry) => {
      const path = join(entry.parentPath, entry.name);
      return findSecrets(path, readFileSync(path), secrets);
    });
}
