/** What `systemctl status` shows of an agent: the spool and the shipping, in one line. */
import { formatSize } from '../lib/units.ts';
import type { ShippingState, Spool } from '../spool/spool.ts';

export function statusLine(spool: Pick<Spool, 'depth' | 'bytes'>, shipping: ShippingState): string {
  const { state, last_error: error, failures } = shipping;
  const spooled = `${spool.depth} ${spool.depth === 1 ? 'sample' : 'samples'} in the spool (${formatSize(spool.bytes)})`;
  if (state === 'backing_off') return `Kafka is away (attempt ${failures}: ${error ?? 'unknown'}); ${spooled}`;
  return `${state === 'idle' ? 'sampling, all shipped' : `sampling, ${state}`}; ${spooled}`;
}
