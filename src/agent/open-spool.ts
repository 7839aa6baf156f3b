/** A spool, from the settings: the agent's own, or one that is only drained. */
import type { ResolvedSettings } from '../config/load.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { version } from '../lib/version.ts';
import { Spool } from '../spool/spool.ts';

/** Bounds are the agent's business: a drain evicts nothing, however old or large the spool is. */
const UNBOUNDED = { maxBytes: Number.MAX_SAFE_INTEGER, maxAge: Number.MAX_SAFE_INTEGER, minFree: { bytes: 0 } };

export function openSpool(settings: ResolvedSettings, purpose: 'agent' | 'drain', clock: Clock, log: Log): Spool {
  const { path, max_bytes, max_age, min_free, synchronous, group } = settings.spool;
  const bounds = { maxBytes: max_bytes, maxAge: max_age, minFree: min_free };
  return Spool.open({
    path,
    ...(purpose === 'agent' ? bounds : UNBOUNDED),
    synchronous,
    ...(group === undefined ? {} : { group }),
    hostname: settings.collect.hostname,
    interval: settings.collect.interval,
    version,
    purpose,
    clock,
    log,
  });
}
