/**
 * The accounts of many runs at once: sorts the events of a load by run, advances each account, and keeps what it was
 * computed from beside the result, since that is what a version check and the sums per host need.
 */
import { type Account, tally } from './account.ts';
import { type AccountEvent, advance, type LogHole, runOf } from './advance.ts';

export interface AccountChange {
  /** undefined: a run not heard of before. */
  readonly before: Account | undefined;
  readonly after: Account;
}

/** The runs that the events tell about: what has to be read before they can be advanced. */
export function runsOf(events: Iterable<AccountEvent>): Set<string> {
  const runs = new Set<string>();
  for (const event of events) runs.add(runOf(event));
  return runs;
}

/** The accounts that the events, in the order of their log, change; those they leave as they are do not appear. */
export function advanceAll(
  accounts: ReadonlyMap<string, Account>,
  events: Iterable<AccountEvent>,
  holes: readonly LogHole[] = [],
): AccountChange[] {
  const byRun = new Map<string, AccountEvent[]>();
  for (const event of events) {
    const run = runOf(event);
    const list = byRun.get(run);
    if (list === undefined) byRun.set(run, [event]);
    else list.push(event);
  }
  const changes: AccountChange[] = [];
  for (const [run, list] of byRun) {
    const before = accounts.get(run);
    const after = advance(before, list, holes);
    if (after !== before) changes.push({ before, after });
  }
  return changes;
}

/** What a change adds to the sums of its host; negative where a late sample fills a gap. */
export function difference({ before, after }: AccountChange): { received: number; lost: number; missing: number } {
  const now = tally(after);
  if (before === undefined) return now;
  const was = tally(before);
  return { received: now.received - was.received, lost: now.lost - was.lost, missing: now.missing - was.missing };
}
