/**
 * A soak: everything works undisturbed for long, and nothing of it may grow.
 *
 * Memory and descriptors are read from the kernel, and /metrics is scraped each time, as a Prometheus would. A finding is
 * a measure that rises (judge.ts), a process that ended, logged an error other than a sample that could not be taken, left a scrape without an answer, or did less than
 * nine tenths of its work.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { StormDatabase } from '../storm/database.ts';
import { ask } from '../support/http-client.ts';
import { judge, MOST_RISE, seriesOf } from './judge.ts';
import { Place, type Soaked } from './place.ts';
import { riseOf } from './slope.ts';
import { type Usage, usageOf, withoutCache } from './usage.ts';

export interface SoakOptions {
  readonly durationMs: number;
  readonly directory: string;
  readonly openDatabase: (directory: string, writers: number) => Promise<StormDatabase>;
  readonly say: (line: string) => void;
  /** Ends it before its time; it is judged by what was seen. */
  readonly stop: AbortSignal;
}

const EVERY_MS = 10_000;
/** So that a short soak has enough readings as well. */
const FEWEST = 120;
const SAMPLES_PER_MS = 4 / 1000;
const START_MS = 30_000;

interface Watched extends Soaked {
  readonly usage: Usage[];
  done: number;
  misses: number;
}

/** What was found; nothing is good. */
export async function runSoak(options: SoakOptions): Promise<string[]> {
  const { durationMs, say, stop } = options;
  await using place = await Place.open(options.directory, options.openDatabase);
  const watched: Watched[] = place.soaked.map((soaked) => ({ ...soaked, usage: [], done: 0, misses: 0 }));
  for (const { process } of watched) process.start();
  const began = performance.now();
  const every = Math.min(EVERY_MS, durationMs / FEWEST);
  while (performance.now() - began < durationMs && !stop.aborted) {
    await delay(every, undefined, { signal: stop }).catch(() => undefined);
    const at = (performance.now() - began) / 1000;
    for (const one of watched) await look(one, at);
    say(`${at.toFixed(0).padStart(6)} s  ${watched.map(lineOf).join('   ')}`);
  }
  const lasted = performance.now() - began;
  for (const { process } of watched) await process.stop();
  for (const one of watched) say(`${one.process.name}: within the second half ${risesOf(one.usage)}`);
  return watched.flatMap((one) => findingsOf(one, lasted)).concat(await place.database.findings());
}

async function look(one: Watched, at: number): Promise<void> {
  const usage = one.process.pid === undefined ? undefined : usageOf(one.process.pid, at);
  if (usage !== undefined) one.usage.push(one.grows === undefined ? usage : withoutCache(usage, one.grows));
  try {
    const { status, text } = await ask(one.port, '/metrics', { timeout: 5000 });
    const value = Number(new RegExp(`^${one.works} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
    if (status === 200 && Number.isFinite(value)) one.done = value;
    else one.misses++;
  } catch {
    // Before the first answer it does not listen yet.
    if (one.done > 0) one.misses++;
  }
}

function lineOf({ process, usage, done }: Watched): string {
  const last = usage.at(-1);
  if (last === undefined) return `${process.name} is not there`;
  const memory = `${last.residentMiB.toFixed(1)} MiB (${last.anonymousMiB.toFixed(1)} own)`;
  return `${process.name} ${memory} ${last.descriptors} fd ${done} done`;
}

function risesOf(usage: readonly Usage[]): string {
  return Object.keys(MOST_RISE)
    .map((measure) => `${measure} ${riseOf(seriesOf(usage, measure as keyof typeof MOST_RISE)).toFixed(2)}`)
    .join(', ');
}

function findingsOf({ process, usage, done, misses, errors }: Watched, lasted: number): string[] {
  const wanted = Math.max(1, Math.floor((lasted - START_MS) * SAMPLES_PER_MS * 0.9));
  return [
    ...judge(process.name, usage),
    ...process.findings,
    ...errors,
    ...(done < wanted ? [`${process.name} did ${done} of ${wanted} samples`] : []),
    ...(misses > 0 ? [`${process.name} left ${misses} scrapes without an answer`] : []),
  ];
}
