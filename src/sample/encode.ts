/** From a sample to the bytes that are spooled and sent. */
import type { Note } from './note.ts';
import type { Sample } from './sample.ts';

/** The flat JSON object of the wire contract. Fields that are undefined are left out. */
export function encodeSample(sample: Sample): string {
  return JSON.stringify(sample);
}

/** The same payload with notes riding on it: a splice before the closing brace, so a retry sends the same bytes. */
export function withNotes(payload: string, notes: readonly Note[]): string {
  if (notes.length === 0) return payload;
  return `${payload.slice(0, -1)},"notes":${JSON.stringify(notes)}}`;
}
