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
export const SKIPPED_BY_OPERATOR = 'skipped_by_operator';
/** Holes in a log: what the broker deleted by age, what went with a topic that was made anew, what a person skipped. */
export const HOLE_REASONS = ['expired_in_kafka', 'topic_recreated', SKIPPED_BY_OPERATOR] as const;
export type HoleReason = (typeof HOLE_REASONS)[number];

const READER_RANKS: ReadonlyMap<string, number> = new Map([
  [DEAD_LETTER, 5],
  ['topic_recreated', 4],
  ['expired_in_kafka', 3],
  [SKIPPED_BY_OPERATOR, 2],
  [BEFORE_FIRST_CONTACT, 1],
]);
const AGENT_RANK = 6;

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
