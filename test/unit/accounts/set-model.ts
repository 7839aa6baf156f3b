/** The accounts as plain sets: slow, obvious, and written without a look at the product's way of doing it. */
import type { AccountEvent } from '../../../src/accounts/advance.ts';
import { LOSS_REASONS } from '../../../src/sample/note.ts';

export function modelOf(events: readonly AccountEvent[]) {
  const received = new Set<number>();
  const dead = new Set<number>();
  const noted = new Map<number, string>();
  let last = 0;
  let clean: boolean | undefined;
  let uncertain = false;
  for (const event of events) {
    if (event.kind === 'received') received.add(event.seq);
    if (event.kind === 'dead_letter') dead.add(event.seq);
    if (event.kind !== 'note') {
      last = Math.max(last, event.seq);
      continue;
    }
    const { note } = event;
    last = Math.max(last, note.last_seq);
    if (!note.exact) uncertain = true;
    if (note.kind === 'run_ended') clean = (clean ?? true) && note.clean;
    else for (let seq = note.first_seq; seq <= note.last_seq; seq++) noted.set(seq, first(noted.get(seq), note.reason));
  }
  const absent: { seq: number; reason: string | null }[] = [];
  for (let seq = 1; seq <= last; seq++) {
    if (received.has(seq)) continue;
    absent.push({ seq, reason: noted.get(seq) ?? (dead.has(seq) ? 'dead_letter' : null) });
  }
  return { last, absent, ended: clean === undefined ? null : { clean }, uncertain };
}

function first(one: string | undefined, other: string): string {
  if (one === undefined) return other;
  const order: readonly string[] = LOSS_REASONS;
  return order.indexOf(one) <= order.indexOf(other) ? one : other;
}
