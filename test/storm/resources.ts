/**
 * Whether a process leaks: its resident memory and open descriptors, once a second, life by life.
 *
 * A rough rule for a noisy place: only lives of at least a minute are judged, after their first third, by the least
 * value of the middle third against the least of the last. The least is what a leak raises and a burst does not.
 */
import { readdirSync, readFileSync } from 'node:fs';

const EVERY_MS = 1000;
const SHORTEST_LIFE = 60;
const MOST_GROWTH = { residentMiB: 40, descriptors: 15 };

export interface Usage {
  readonly residentMiB: number;
  readonly descriptors: number;
}

export class Resources {
  readonly #name: string;
  readonly #findings: string[] = [];
  #usage: Usage[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  follow(pid: number): void {
    this.ended();
    this.#timer = setInterval(() => {
      const usage = usageOf(pid);
      if (usage !== undefined) this.#usage.push(usage);
    }, EVERY_MS);
    this.#timer.unref();
  }

  ended(): void {
    clearInterval(this.#timer);
    this.#findings.push(...growth(this.#usage).map((what) => `${this.#name} ${what}`));
    this.#usage = [];
  }

  findings(): readonly string[] {
    return this.#findings;
  }
}

/** What grew during a life of these readings. */
export function growth(usage: readonly Usage[]): string[] {
  if (usage.length < SHORTEST_LIFE) return [];
  const third = Math.floor(usage.length / 3);
  return (['residentMiB', 'descriptors'] as const).flatMap((what) => {
    const least = (part: readonly Usage[]) => Math.min(...part.map((reading) => reading[what]));
    const before = least(usage.slice(third, 2 * third));
    const after = least(usage.slice(2 * third));
    if (after - before <= MOST_GROWTH[what]) return [];
    return [`grew from ${before} to ${after} ${what} within ${usage.length} s`];
  });
}

function usageOf(pid: number): Usage | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const residentKiB = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
    if (!Number.isFinite(residentKiB)) return undefined;
    return { residentMiB: Math.round(residentKiB / 1024), descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return undefined;
  }
}
