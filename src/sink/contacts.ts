/** `last_seq_by_partition` as the databases keep it: JSON, `{ "<partition>": [seq, epoch, offset] }`. */
import type { Contact } from '../accounts/account.ts';

export function writeContacts(contacts: ReadonlyMap<number, Contact>): string {
  const written = [...contacts].map(([partition, { seq, epoch, offset }]) => [partition, [seq, epoch, offset]]);
  return JSON.stringify(Object.fromEntries(written));
}

export function readContacts(text: string): Map<number, Contact> {
  const contacts = new Map<number, Contact>();
  for (const [partition, contact] of Object.entries(JSON.parse(text) as Record<string, [number, number, number]>)) {
    const [seq, epoch, offset] = contact;
    contacts.set(Number(partition), { seq, epoch, offset });
  }
  return contacts;
}
