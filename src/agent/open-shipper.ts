/** The shipper of a spool, from the settings: for an agent, or for a drain. */
import type { ResolvedSettings } from '../config/load.ts';
import { Backoff } from '../lib/backoff.ts';
import type { Pace } from './pace.ts';
import { Shipper, type ShipperOptions } from './shipper.ts';

export function openShipper(
  { kafka, ship, backoff }: ResolvedSettings,
  around: Pick<ShipperOptions, 'spool' | 'producer' | 'clock' | 'log'> & { readonly pace: Pace },
): Shipper {
  return new Shipper({
    ...around,
    topic: kafka.topic,
    batchSamples: ship.batch_samples,
    batchBytes: ship.batch_bytes,
    linger: ship.linger,
    backoff: new Backoff(backoff),
  });
}
