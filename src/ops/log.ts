/**
 * The log: one JSON object a line on standard output, or the same for people when that is a terminal.
 *
 * Written synchronously: the line that says why a process ended must not die with it, and there are few of them.
 * Keys that hold secrets are masked wherever they turn up; settings are never logged whole. What others said, such as a
 * broker's name for itself, is written so that a terminal can't take it for commands.
 */
import type { Writable } from 'node:stream';
import { type DestinationStream, pino } from 'pino';
import type { Settings } from '../config/schema.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { printableJson, printableTexts } from '../lib/printable.ts';

const SECRET_KEYS = ['password', 'key', 'token', 'secret', 'passphrase'];

export interface LeveledLog extends Log {
  /** Changes the least level that is written, live. */
  setLevel(level: Settings['log']['level']): void;
}

/** Opens the log; `destination` is for tests, for people a stream, standard output otherwise. */
export async function openLog(settings: Settings['log'], destination?: DestinationStream): Promise<LeveledLog> {
  const logger = pino(
    {
      level: settings.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error) => describeError(error), error: (error) => describeError(error) },
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '[secret]' },
    },
    await openDestination(settings.format, destination),
  );
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    setLevel: (level) => {
      logger.level = level;
    },
  };
}

async function openDestination(
  format: Settings['log']['format'],
  given: DestinationStream | undefined,
): Promise<DestinationStream> {
  const forPeople = format === 'pretty' || (format === 'auto' && process.stdout.isTTY === true);
  if (forPeople) {
    const { default: pretty } = await import('pino-pretty');
    const lines = pretty({
      ...(given === undefined ? {} : { destination: given as Writable }),
      sync: true,
      translateTime: 'SYS:yyyy-mm-dd HH:MM:ss.l',
      ignore: 'event',
      messageFormat: '{event} {msg}',
    });
    return { write: (line) => void lines.write(printableTexts(line)) };
  }
  const destination = given ?? openStandardOutput();
  return { write: (line) => destination.write(printableJson(line)) };
}

function openStandardOutput(): DestinationStream {
  const destination = pino.destination({ dest: 1, sync: true });
  // Whoever read our log is gone; that is no reason to stop sampling.
  destination.on('error', () => undefined);
  return destination;
}

/** What a program and a person need of an error, its causes included; a stack only for what nobody foresaw. */
export function describeError(thrown: unknown, foreseen = false): Record<string, unknown> {
  const error = asError(thrown);
  const described: Record<string, unknown> = { message: error.message };
  const code = (error as { code?: unknown }).code;
  if (code !== undefined) described.code = code;
  if (error instanceof HostspoolError) {
    if (error.hint !== undefined) described.hint = error.hint;
    described.retryable = error.retryable;
  } else {
    described.type = error.name;
    if (!foreseen) described.stack = error.stack;
  }
  if (error.cause !== undefined)
    described.cause = describeError(error.cause, foreseen || error instanceof HostspoolError);
  return described;
}
