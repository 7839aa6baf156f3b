/** A spool with a backlog of samples as a host takes them, and the samples themselves. */
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { Spool } from '../../src/spool/spool.ts';
import { fleetSamples } from '../../test/support/fleet.ts';

const HOST = 'web-001.example.com';

export function openBenchSpool(path: string, synchronous: 'full' | 'normal'): Spool {
  return Spool.open({
    path,
    maxBytes: 64 * 1024 ** 3,
    maxAge: 7 * 86_400_000,
    minFree: { bytes: 0 },
    synchronous,
    hostname: HOST,
    interval: 1000,
    version: 'bench',
    purpose: 'agent',
    clock: new SystemClock(),
    log: silentLog,
  });
}

/** Payloads under the identities that the spool gives. */
export function* payloads(
  spool: Pick<Spool, 'identify'>,
  samples: number,
): Generator<{ identity: ReturnType<Spool['identify']>; payload: string }> {
  for (const { value } of fleetSamples(1, samples)) {
    const identity = spool.identify();
    const at = value.indexOf('"event_id"');
    const end = value.indexOf(',"agent_version"');
    const { event_id, run_id, seq } = identity;
    const own = `"event_id":"${event_id}","run_id":"${run_id}","seq":${seq}`;
    yield { identity, payload: value.slice(0, at) + own + value.slice(end) };
  }
}

export function fillSpool(path: string, samples: number, synchronous: 'full' | 'normal'): void {
  const spool = openBenchSpool(path, synchronous);
  for (const { identity, payload } of payloads(spool, samples)) {
    if (!spool.append(identity, Date.now(), payload)) throw new Error('an append failed');
  }
  spool.close(true);
}
