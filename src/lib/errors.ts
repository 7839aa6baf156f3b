/**
 * The one error of the product. A person reads `message` and `hint`, a program reads `code`, retrying reads
 * `retryable`; nobody parses a message. Codes are stable: they are listed in docs/errors.md and never renamed.
 */
export interface ErrorDetails {
  /** What the person can do about it, as an instruction. */
  readonly hint?: string;
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

export class HostspoolError extends Error {
  override readonly name = 'HostspoolError';
  readonly code: string;
  readonly hint: string | undefined;
  readonly retryable: boolean;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.retryable = details.retryable ?? false;
  }
}

/** What was thrown, as an Error: JavaScript can throw anything. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** The code of a system or SQLite error (`ENOSPC`, `SQLITE_FULL`, …), or undefined. */
export function errorCode(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
