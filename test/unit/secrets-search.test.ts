/** The search that other tests rely on finds what it is there for. */
import { expect, it } from 'vitest';
import { findSecrets, formsOf, newSecret } from '../support/secrets.ts';

it('finds a secret in each of its forms, wherever it stands', () => {
  const secret = newSecret('any');
  const secrets = new Map([['any', secret]]);
  const written = [
    `password=${secret};`,
    JSON.stringify({ nested: JSON.stringify({ secret }) }),
    `https://u:${encodeURIComponent(secret)}@h/`,
    Buffer.from(secret).toString('hex'),
    ...['', 'u', 'us', 'use', '\0user\0'].flatMap((before) => [
      Buffer.from(`${before}${secret}after`).toString('base64'),
      Buffer.from(`${before}${secret}`).toString('base64url'),
    ]),
  ];
  for (const text of written)
    expect(findSecrets('here', Buffer.from(`before ${text} after`), secrets), text).not.toEqual([]);
  expect(findSecrets('here', Buffer.from(`x${secret}`, 'utf16le'), secrets)).toHaveLength(1);
  expect(findSecrets('here', Buffer.from(newSecret('any')), secrets)).toEqual([]);
  expect(findSecrets('here', Buffer.from(`${secret}`), secrets).join()).not.toContain(secret);
  for (const form of formsOf(secret).values()) expect(form.length).toBeGreaterThan(20);
});
