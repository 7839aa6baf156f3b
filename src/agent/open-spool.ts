/** The agent's spool, from its settings. */
import type { ResolvedSettings } from '../config/load.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { version } from '../lib/version.ts';
import { Spool } from '../spool/spool.ts';

export function openSpool(settings: ResolvedSettings, clock: Clock, log: Log): Spool {
  const { path, max_bytes, max_age, min_free, synchronous, group } = settings.spool;
  return Spool.open({
    path,
    maxBytes: max_bytes,
    maxAge: max_age,
    minFree: min_free,
    synchronous,
    ...(group === undefined ? {} : { group }),
    hostname: settings.collect.hostname,
    interval: settings.collect.interval,
    version,
    purpose: 'agent',
    clock,
    log,
  });
}
