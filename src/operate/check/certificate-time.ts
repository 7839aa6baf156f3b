/** How much time a certificate has left: one that runs out in a few weeks is told while there is time to renew it. */
import { day } from '../../kafka/broker-reach.ts';
import type { Detail } from './check.ts';

const DAY_MS = 86_400_000;
/** Below it is a warning. */
export const SOON_DAYS = 30;

export interface TimeLeft {
  readonly days: number;
  readonly isSoon: boolean;
  /** `until 2027-01-31 (68 days)` */
  readonly words: string;
  readonly detail: Detail;
}

/** `validTo`: ms since the epoch. */
export function timeLeft(validTo: number, now: number): TimeLeft {
  const days = Math.floor((validTo - now) / DAY_MS);
  return {
    days,
    isSoon: days < SOON_DAYS,
    words: `until ${day(validTo)} (${days} ${days === 1 ? 'day' : 'days'})`,
    detail: {
      certificate_expires: Number.isNaN(validTo) ? null : new Date(validTo).toISOString(),
      certificate_days_left: Number.isNaN(days) ? null : days,
    },
  };
}
