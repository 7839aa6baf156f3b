/** What the commands about dead letters have in common: which of them are meant, and how they are read. */
import type { Argv } from 'yargs';
import { Follower } from '../kafka/follower.ts';
import type { ReadDeadLetters } from '../operate/dead-letter-index.ts';
import type { DeadLetterSelection } from '../operate/dead-letter-selection.ts';
import { deadLetterReader } from '../operate/read-dead-letters.ts';
import { originText, parseOriginText } from '../sample/dead-letter.ts';
import { type Arguments, listArgument, textArgument, timeArgument } from './argument-values.ts';
import type { Centre } from './centre.ts';
import { OWN_OPTIONS } from './settings-options.ts';

/** The options that say which dead letters are meant; `list` and `replay` have the same. */
export function selectionOptions(yargs: Argv): Argv {
  return yargs
    .option('host', { type: 'string', requiresArg: true, describe: 'Only those of this host.' })
    .option('reason', {
      type: 'string',
      requiresArg: true,
      describe: 'Only with this code, or with this in the reason.',
    })
    .option('since', {
      type: 'string',
      requiresArg: true,
      describe: 'Only those that became dead letters since: 2026-01-31T12:00:00Z, or 2h ago.',
    })
    .option('origin', { type: 'string', requiresArg: true, describe: 'Only this one; may be there several times.' })
    .group(['host', 'reason', 'since', 'origin'], OWN_OPTIONS);
}

export function selectionOf(argv: Arguments, now: number): DeadLetterSelection {
  const origins = listArgument(argv, 'origin', readOrigin, ORIGIN);
  return {
    host: textArgument(argv, 'host') ?? null,
    reason: textArgument(argv, 'reason') ?? null,
    since: timeArgument(argv, 'since', now) ?? null,
    origins: origins === undefined ? null : new Set(origins),
  };
}

export const ORIGIN = 'an origin, <partition>:<offset> or <partition>:<offset>@<epoch>';

/** In its one writing. */
export function readOrigin(text: string): string | undefined {
  const origin = parseOriginText(text);
  return origin === undefined ? undefined : originText({ topic: '', ...origin });
}

export function reader({ settings, log, clock, reader: { topic } }: Centre, signal: AbortSignal): ReadDeadLetters {
  return deadLetterReader(() => Follower.create(settings.kafka, log, clock), topic, signal);
}
