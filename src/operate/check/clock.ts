/**
 * The wall clock, as far as this host alone can judge it. Brokers tell no time; the database does, and is compared with
 * in its own check; a certificate that is not valid yet says so in its own.
 */
import { asError, HostspoolError } from '../../lib/errors.ts';
import { readSnapshot } from '../../spool/snapshot.ts';
import { ageInWords } from '../status-findings.ts';
import { type Check, failed, type Outcome, ok, warning } from './check.ts';
import { type CheckContext, FILE_LIMIT_MS, SILENT } from './context.ts';
import { nearestDirectory } from './nearest-directory.ts';

/** hostspool is younger: a clock before it was never set. */
const EARLIEST = Date.UTC(2024, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);
/** A step of the clock that is common and harmless, ms. */
const SLACK_MS = 5000;

export function clockCheck({ settings, clock }: CheckContext): Check {
  const hasSpool = settings.mode !== 'writer';
  return {
    name: 'clock',
    limit: FILE_LIMIT_MS,
    waitsFor: `the filesystem of ${settings.spool.path}`,
    ifSilent: SILENT.disk,
    run: async () => judgeClock(clock.now(), hasSpool ? await newestSample(settings.spool.path, clock) : null),
  };
}

/** Both in ms since the epoch; `newest`: of the spool, null where there is none. */
export function judgeClock(now: number, newest: number | null): Outcome {
  const detail = { now: iso(now), newest_sample: newest === null ? null : iso(newest) };
  const set = 'set the clock, and see to it that time synchronization (chrony, systemd-timesyncd) runs';
  if (now < EARLIEST || now > LATEST) return failed('CLOCK_WRONG', `the clock says ${iso(now)}`, set, detail);
  if (newest !== null && newest > now + SLACK_MS) {
    const ahead = `the spool’s newest sample was taken ${ageInWords(newest - now)} from now: the clock was set back`;
    return warning('CLOCK_WENT_BACK', ahead, `${set}; samples keep the time that the clock told`, detail);
  }
  return ok(
    `${iso(now).replace(/\.\d+Z$/, 'Z')}${newest === null ? '' : ', not behind the spool’s newest sample'}`,
    detail,
  );
}

/** null where the spool can't be read: its own check says so. */
async function newestSample(path: string, clock: CheckContext['clock']): Promise<number | null> {
  try {
    await nearestDirectory(path);
    const { run, queue } = readSnapshot(path, clock);
    const times = [run?.lastSampleAt, queue?.newest?.takenAt].filter((time) => typeof time === 'number');
    return times.length === 0 ? null : Math.max(...times);
  } catch (error) {
    if (error instanceof HostspoolError) return null;
    throw asError(error);
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
