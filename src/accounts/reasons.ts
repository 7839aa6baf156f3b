/**
 * Why a sequence number was not received, and which reason stands when there are several.
 *
 *   received  >  the agent's note  >  dead_letter  >  hole in the log  >  before_first_contact  >  none
 *
 * The agent knows best what it lost. A message that came and could not be read is better known than one that the log
 * no longer has, and that better than one from before this group began to read. Among the reasons of agents the order
 * is that of LOSS_REASONS, then of the alphabet: any fixed order makes the result independent of the notes' order.
 */
import { LOSS_REASONS } from '../sample/note.ts';
import type { GapReason } from './account.ts';

export const DEAD_LETTER = 'dead_letter';
export const BEFORE_FIRST_CONTACT = 'before_first_contact';
/** Holes in a log: what the broker deleted by age, and what went with a topic that was made anew. */
export const HOLE_REASONS = ['expired_in_kafka', 'topic_recreated'] as const;
export type HoleReason = (typeof HOLE_REASONS)[number];

const READER_RANKS: ReadonlyMap<string, number> = new Map([
  [DEAD_LETTER, 4],
  ['topic_recreated', 3],
  ['expired_in_kafka', 2],
  [BEFORE_FIRST_CONTACT, 1],
]);
const AGENT_RANK = 5;

/** Whether `reason` replaces `current` in a gap. */
export function outranks(reason: GapReason, current: GapReason): boolean {
  const difference = rank(reason) - rank(current);
  if (difference !== 0) return difference > 0;
  return reason !== null && current !== null && reason !== current && precedes(reason, current);
}

function rank(reason: GapReason): number {
  return reason === null ? 0 : (READER_RANKS.get(reason) ?? AGENT_RANK);
}

function precedes(reason: string, other: string): boolean {
  const order: readonly string[] = LOSS_REASONS;
  const [mine, theirs] = [order.indexOf(reason), order.indexOf(other)];
  if (mine >= 0 && theirs >= 0) return mine < theirs;
  return mine >= 0 || (theirs < 0 && reason < other);
}
