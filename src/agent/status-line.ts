/** What `systemctl status` shows of an agent or of local mode: how it does, and the spool, in one line. */
import { formatSize } from '../lib/units.ts';
import type { ShippingState, Spool } from '../spool/spool.ts';

export interface StatusLine {
  readonly spool: Pick<Spool, 'depth' | 'bytes'>;
  readonly shipping: ShippingState;
  /** Where samples go from the spool, and what is said of one that is there. */
  readonly target: string;
  readonly done: string;
  /** Why its work is not done; empty where it is. */
  readonly failed: readonly string[];
}

export function statusLine({ spool, shipping, target, done, failed }: StatusLine): string {
  const { state, last_error: error, failures } = shipping;
  const spooled = `${spool.depth} ${spool.depth === 1 ? 'sample' : 'samples'} in the spool (${formatSize(spool.bytes)})`;
  const [trouble] = failed;
  if (trouble !== undefined) return `trouble: ${trouble}; ${spooled}`;
  if (state === 'backing_off') return `${target} is away (attempt ${failures}: ${error ?? 'unknown'}); ${spooled}`;
  return `${state === 'idle' ? `sampling, all ${done}` : `sampling, ${state}`}; ${spooled}`;
}
