/**
 * What a parsed message may look like whatever its fields are called: not nested too deeply, no key that could reach
 * a prototype, no text that cannot be stored.
 *
 * The walk over the whole message is for the few that give cause. Cause is found in the text, by searches that cost
 * next to nothing: fewer opening brackets than the bound cannot nest that deeply, and an escape is needed to write a
 * lone surrogate or to disguise a key.
 */
import { HostspoolError } from '../lib/errors.ts';

/** Levels of objects and arrays, the message itself included. The product's own messages have three. */
export const MAX_DEPTH = 8;

/** How much of a bad value an error shows. */
const SHOWN = 60;

/** Throws SAMPLE_INVALID for a shape that is refused whatever the fields say. */
export function assertHarmless(message: object, text: string): void {
  if (!hasCause(text)) return;
  const open: { readonly value: object; readonly depth: number }[] = [{ value: message, depth: 1 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.depth > MAX_DEPTH) throw refused(`nested more than ${MAX_DEPTH} levels deep`);
    for (const [key, value] of Object.entries(next.value)) {
      if (key === '__proto__') throw refused('has a key __proto__');
      if (!key.isWellFormed()) throw refused('has a key with a lone surrogate');
      if (typeof value === 'string' && !value.isWellFormed()) throw refused(`${key} has a lone surrogate`);
      if (typeof value === 'object' && value !== null) open.push({ value, depth: next.depth + 1 });
    }
  }
}

function hasCause(text: string): boolean {
  return text.includes('\\u') || text.includes('__proto__') || !text.isWellFormed() || mayBeDeep(text);
}

function mayBeDeep(text: string): boolean {
  let opened = 0;
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at >= 0 && opened <= MAX_DEPTH; at = text.indexOf(bracket, at + 1)) opened++;
  }
  return opened > MAX_DEPTH;
}

function refused(reason: string): HostspoolError {
  return new HostspoolError('SAMPLE_INVALID', `value: ${reason}`);
}

/** A value as an error may show it: short, on one line, with its type where the text alone would mislead. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const written = typeof value === 'string' ? JSON.stringify(value.slice(0, SHOWN)) : String(value);
  const length = typeof value === 'string' ? value.length : 0;
  return length > SHOWN ? `${written}… (${length} characters)` : written;
}
