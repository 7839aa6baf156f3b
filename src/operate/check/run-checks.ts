/**
 * Runs checks side by side, each as soon as what it rests on has ended, and each within its own time limit: so all of
 * them end, whatever does not answer.
 */
import type { Clock } from '../../lib/clock.ts';
import { asError, HostspoolError } from '../../lib/errors.ts';
import { formatDuration } from '../../lib/units.ts';
import { type Check, failure, idOf, type Outcome, unknown } from './check.ts';

export interface CheckResult extends Omit<Outcome, 'blocks'> {
  readonly name: Check['name'];
  readonly subject: string | null;
  /** The check that has to be mended first: it failed, so this one was not made. */
  readonly rests_on: string | null;
  readonly seconds: number;
}

interface Ended {
  readonly result: CheckResult;
  /** Whether what rests on it can be checked. */
  readonly carries: boolean;
}

/** The results, in the order of the checks. What a check rests on stands before it. */
export async function runChecks(checks: readonly Check[], clock: Clock): Promise<CheckResult[]> {
  const running = new Map<string, Promise<Ended>>();
  for (const check of checks) {
    const others = [check.needs ?? [], check.needsOneOf ?? []].map((ids) => ids.map((id) => begun(running, id)));
    running.set(idOf(check), runAfter(check, others[0] ?? [], others[1] ?? [], clock));
  }
  const ended = await Promise.all(running.values());
  return ended.map(({ result }) => result);
}

function begun(running: ReadonlyMap<string, Promise<Ended>>, id: string): Promise<Ended> {
  const found = running.get(id);
  if (found === undefined) throw new TypeError(`there is no check ${id} before this one`);
  return found;
}

async function runAfter(
  check: Check,
  needs: readonly Promise<Ended>[],
  needsOneOf: readonly Promise<Ended>[],
  clock: Clock,
): Promise<Ended> {
  const all = await Promise.all(needs);
  const some = await Promise.all(needsOneOf);
  const missing = all.find(({ carries }) => !carries) ?? (some.some(({ carries }) => carries) ? undefined : some[0]);
  const about = { name: check.name, subject: check.subject ?? null };
  if (missing !== undefined) {
    const rests_on = missing.result.rests_on ?? nameOf(missing.result);
    const finding = `not checked: ${rests_on} comes first`;
    const result = { ...about, ...unknown(finding), rests_on, seconds: 0 };
    return { result, carries: false };
  }
  const began = clock.monotonic();
  const { blocks = false, ...outcome } = await bounded(check, clock);
  const result = { ...about, ...outcome, rests_on: null, seconds: (clock.monotonic() - began) / 1000 };
  return { result, carries: !blocks && (outcome.state === 'ok' || outcome.state === 'warning') };
}

function nameOf({ name, subject }: CheckResult): string {
  return idOf({ name, ...(subject === null ? {} : { subject }) });
}

const ANY_SILENCE = 'look whether it runs, at its load, and for a firewall that drops packets';

async function bounded(check: Check, clock: Clock): Promise<Outcome> {
  const { limit, waitsFor, ifSilent = ANY_SILENCE } = check;
  const ending = new AbortController();
  const { promise, reject } = Promise.withResolvers<never>();
  const takeBack = clock.after(limit, () => {
    const error = new HostspoolError('CHECK_TIMEOUT', `${waitsFor} gave no answer within ${formatDuration(limit)}`, {
      hint: ifSilent,
      retryable: true,
    });
    reject(error);
    ending.abort(error);
  });
  try {
    return await Promise.race([check.run(ending.signal), promise]);
  } catch (error) {
    return told(error);
  } finally {
    takeBack();
  }
}

/** A fault of a check must not hide what the others found. */
function told(error: unknown): Outcome {
  if (error instanceof HostspoolError) return failure(error);
  const { message } = asError(error);
  return {
    state: 'failed',
    code: 'INTERNAL',
    finding: `unexpected error: ${message}`,
    hint: 'please report it',
    detail: {},
  };
}
