/**
 * One thing that has to be in order before a process is started, and how it is told.
 *
 *   ok        it is in order
 *   warning   it works, and is not as it should be
 *   failed    the process would not do its work like this
 *   skipped   nothing can be said: what it rests on failed, or the right to look is missing
 */
import { HostspoolError } from '../../lib/errors.ts';
import type { CheckName } from './catalog.ts';

export type CheckState = 'ok' | 'warning' | 'failed' | 'skipped';

/** What was measured, for programs. */
export type Detail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export interface Outcome {
  readonly state: CheckState;
  /** Of docs/errors.md; null where all is well or nothing is known. */
  readonly code: string | null;
  /** One sentence. */
  readonly finding: string;
  /** What to do about it. */
  readonly hint: string | null;
  readonly detail: Detail;
  /** Whether what rests on it can't be checked although it has not failed. */
  readonly blocks?: boolean;
}

export interface Check {
  readonly name: CheckName;
  /** Which of several of that name: a broker's address. */
  readonly subject?: string;
  /** What must not have failed before, each by its `idOf`. */
  readonly needs?: readonly string[];
  /** Of these one is enough. */
  readonly needsOneOf?: readonly string[];
  /** After so long it has failed, ms. */
  readonly limit: number;
  /** What it waits for, as far as it waits: `the file system of /var/lib/hostspool`. */
  readonly waitsFor: string;
  /** What to do where that gives no answer. */
  readonly ifSilent?: string;
  /** Rejects with a HostspoolError to fail. `signal` aborts at the limit. */
  readonly run: (signal: AbortSignal) => Promise<Outcome>;
}

export function idOf({ name, subject }: Pick<Check, 'name' | 'subject'>): string {
  return subject === undefined ? name : `${name} ${subject}`;
}

export function ok(finding: string, detail: Detail = {}): Outcome {
  return { state: 'ok', code: null, finding, hint: null, detail };
}

export function warning(code: string, finding: string, hint: string, detail: Detail = {}): Outcome {
  return { state: 'warning', code, finding, hint, detail };
}

export function failed(code: string, finding: string, hint: string, detail: Detail = {}): Outcome {
  return { state: 'failed', code, finding, hint, detail };
}

/** Nothing is known, and nothing speaks against it. */
export function unknown(finding: string, detail: Detail = {}): Outcome {
  return { state: 'skipped', code: null, finding, hint: null, detail };
}

/** What made it fail, as what it is. */
export function failure(error: unknown): Outcome {
  if (!(error instanceof HostspoolError)) throw error;
  if (error.code === 'KAFKA_VERSION') return unknown(error.message);
  return { state: 'failed', code: error.code, finding: error.message, hint: error.hint ?? null, detail: {} };
}
