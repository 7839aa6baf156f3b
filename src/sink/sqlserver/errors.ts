/**
 * What mssql, tedious or the pool threw, as the error that the port promises: its code says what to do, `retryable`
 * whether to wait. Several errors of one answer become the one that decides. Nothing of the settings but the address
 * gets into a message.
 */
import { asError, errorCode, HostspoolError } from '../../lib/errors.ts';
import {
  DATA,
  DATABASE_MISSING,
  type ErrorKind,
  kindOf,
  LOGIN,
  refusesLogin,
  TIMEOUT,
  TLS,
  UNAVAILABLE,
  UNKNOWN,
} from './error-kinds.ts';
import { serverTlsProblem } from './tls-problems.ts';

export interface ServerAddress {
  /** host:port or host\instance */
  readonly server: string;
  readonly database: string;
}

/** What an error token of the server says. */
export interface ToldByServer {
  readonly number: number;
  readonly message: string;
  /** Its severity, 11 to 25. */
  readonly class?: number;
}

/** The same, as the driver keeps it. */
interface ServerError extends Error {
  readonly number: number;
  readonly class?: number;
}

/** `refusals`: the errors that came since the connection was asked for. */
export function sqlServerError(
  thrown: unknown,
  address: ServerAddress,
  step: string,
  refusals: readonly ToldByServer[] = [],
): HostspoolError {
  if (thrown instanceof HostspoolError) return thrown;
  const error = asError(thrown);
  const told = deciding(serverErrors(error));
  if (told !== undefined) {
    const kind = kindOf(told.number, told.message, told.class);
    return make(kind, address, step, `${told.message.trim()} (error ${told.number})`, error);
  }
  const tls = serverTlsProblem(error);
  if (tls !== undefined) return make({ ...TLS, hint: tls.hint }, address, step, tls.says, error);
  return make(driverKind(error, refusals), address, step, saidBy(error), error);
}

export function sinkClosed({ server, database }: ServerAddress): HostspoolError {
  return new HostspoolError('SINK_CLOSED', `${server}/${database}: the connection was closed by hostspool itself`);
}

function make(kind: ErrorKind, { server, database }: ServerAddress, step: string, says: string, cause: Error) {
  const { code, what, retryable, hint } = kind;
  const message = `${server}/${database}: ${what} at ${step}: ${says}`;
  return new HostspoolError(code, message, { retryable, cause, ...(hint === undefined ? {} : { hint }) });
}

/** The server's own errors behind one of ours. */
export function toldByServer(error: unknown): ToldByServer[] {
  return error instanceof HostspoolError && error.cause instanceof Error ? serverErrors(error.cause) : [];
}

/** The server's errors in what was thrown, in their order; the driver wraps them, and joins several. */
function serverErrors(error: Error): ServerError[] {
  if (error instanceof AggregateError) return error.errors.flatMap((each) => serverErrors(asError(each)));
  if (typeof (error as Partial<ServerError>).number === 'number') return [error as ServerError];
  const original = (error as { originalError?: unknown }).originalError;
  return original instanceof Error && original !== error ? serverErrors(original) : [];
}

/** Among several the first whose meaning is known: what follows is mostly "the statement has been terminated". */
function deciding(errors: readonly ServerError[]): ServerError | undefined {
  return errors.find((error) => kindOf(error.number, error.message, error.class) !== UNKNOWN) ?? errors[0];
}

/** Whatever is neither the server's word nor a value that could not be written is the connection. */
function driverKind(error: Error, refusals: readonly ToldByServer[]): ErrorKind {
  const code = errorCode(error);
  if (code === 'ELOGIN') return loginKind(refusals);
  if (code === 'ETIMEOUT' || error.name === 'TimeoutError') return TIMEOUT;
  // The driver could not write a value: it would not have fitted its column either.
  if (error instanceof TypeError || error instanceof RangeError) return DATA;
  return UNAVAILABLE;
}

/** The driver's message, and below it what each address of the host answered, which it keeps to itself. */
function saidBy(error: Error): string {
  const message = error.message.trim();
  for (let depth = 0, at: unknown = error; at instanceof Error && depth < 8; depth++) {
    if (at instanceof AggregateError) return at.errors.map((each) => asError(each).message).join('; ') || message;
    const { cause, originalError } = at as { cause?: unknown; originalError?: unknown };
    at = cause ?? originalError;
  }
  return message;
}

/** Of a missing database the server tells twice: that it cannot be opened, then that the login failed. */
function loginKind(refusals: readonly ToldByServer[]): ErrorKind {
  const kinds = refusals
    .map(({ number, message, class: severity }) => kindOf(number, message, severity))
    .filter(refusesLogin);
  if (kinds.includes(DATABASE_MISSING)) return DATABASE_MISSING;
  return kinds.find((kind) => kind !== LOGIN) ?? LOGIN;
}
