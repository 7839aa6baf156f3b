/**
 * A process that works through a backlog wants other flags of V8 than one that wakes up once a second.
 *
 * The executable is built for the idle agent: one optimising compiler, Maglev, since what TurboFan would gain there is
 * less than what it costs. A writer and a drain run the same few functions millions of times; for them TurboFan is
 * allowed again. V8 looks at this flag whenever a function has become hot, so it may be set while it runs.
 */
import { setFlagsFromString } from 'node:v8';

export function favourThroughput(): void {
  setFlagsFromString('--turbofan');
}
