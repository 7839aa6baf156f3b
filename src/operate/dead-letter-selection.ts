/** Which dead letters a person means, and whose they are. */

import { originText } from '../sample/dead-letter.ts';
import { decodeParts } from '../sample/decode.ts';
import type { DeadLetterRecord } from './dead-letter-index.ts';

/** What is left out (null) selects everything; all that is there must hold. */
export interface DeadLetterSelection {
  readonly host: string | null;
  /** The code, or a part of the sentence in whatever case. */
  readonly reason: string | null;
  /** Those that became dead letters at this time or later, ms since the epoch. */
  readonly since: number | null;
  /** Origins, as `originText` writes them. */
  readonly origins: ReadonlySet<string> | null;
}

export const EVERYTHING: DeadLetterSelection = { host: null, reason: null, since: null, origins: null };

export function isSelected(record: DeadLetterRecord, { host, reason, since, origins }: DeadLetterSelection): boolean {
  const { notice, message } = record;
  if (origins !== null && !origins.has(originText(notice.origin))) return false;
  if (since !== null && message.timestamp < since) return false;
  if (reason !== null && notice.code !== reason && !contains(notice.reason, reason)) return false;
  return host === null || hostOf(record) === host;
}

function contains(text: string, part: string): boolean {
  return text.toLowerCase().includes(part.toLowerCase());
}

/** As the message itself says, else by its key; null where neither can be read. */
export function hostOf({ message }: DeadLetterRecord): string | null {
  const said = decodeParts(message.value).hostname;
  if (said !== null) return said;
  const key = message.key?.toString('utf8') ?? '';
  // A host's name has no control characters and no room for a novel.
  return key !== '' && key.length <= 255 && /^[^\p{C}\s]+$/u.test(key) ? key : null;
}
