/**
 * What kind of host this is: operating system, kernel, CPU model, virtualisation, memory. For a person who looks at a
 * sample and for the agent's first line; never for a sample.
 *
 * systeminformation knows CPUs and hypervisors by heart, but starts processes and reads dozens of files for it (about
 * 50 ms), so it is loaded only here, and only when asked for; a part that fails or is late is left out. Its osInfo is
 * not used: it asks the name server for the host's full name and blocks until that answers.
 */
import { accessSync, constants, readFileSync } from 'node:fs';
import { arch, release, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';

export type Inventory = Record<string, string | number>;

/** The part of systeminformation that is asked. */
export type InventorySource = Pick<typeof import('systeminformation'), 'cpu' | 'system'>;

export interface InventoryOptions {
  /** Time limit of all, ms. */
  readonly timeout?: number;
  /** For tests. */
  readonly source?: InventorySource;
}

const TIMEOUT_MS = 3_000;
const OS_NAME = /^PRETTY_NAME=["']?(.+?)["']?$/m;
const BYTES_PER_MIB = 1024 ** 2;
/** What systeminformation puts where it found nothing. */
const UNKNOWN = new Set(['', '-', 'unknown', 'Unknown']);

/**
 * Reads the inventory. Keys, where known: `os`, `kernel`, `architecture`, `cpu_model`, `cpu_count` (logical CPUs),
 * `virtualization` (`none` on bare metal), `memory_total_mb`.
 */
export async function readInventory({ timeout = TIMEOUT_MS, source }: InventoryOptions = {}): Promise<Inventory> {
  const si = source ?? (await import('systeminformation')).default;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeout);
  const timeUp = new Promise<undefined>((resolve) => {
    late.signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  // An exception here is one part of a report missing, and the report is not what anybody came for.
  const within = <T>(part: Promise<T>) => Promise.race([part.catch(() => undefined), timeUp]);
  try {
    const [cpu, system] = await Promise.all([
      within(si.cpu()),
      within(canAskSystem() ? si.system() : Promise.reject(new Error('no shell tools'))),
    ]);
    return known({
      os: operatingSystem(),
      kernel: release(),
      architecture: arch(),
      cpu_model: cpu && [cpu.manufacturer, cpu.brand].filter((word) => !UNKNOWN.has(word)).join(' '),
      cpu_count: cpu?.cores,
      virtualization: system && virtualizationOf(system),
      memory_total_mb: Math.round(totalmem() / BYTES_PER_MIB),
    });
  } finally {
    clearTimeout(timer);
  }
}

/** The name that the distribution gives itself, in either of the two places where it may. */
function operatingSystem(): string | undefined {
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    try {
      const name = OS_NAME.exec(readFileSync(path, 'utf8'))?.[1];
      if (name !== undefined) return name;
    } catch {
      // the next one, or none
    }
  }
  return undefined;
}

function virtualizationOf({ virtual, virtualHost }: { virtual: boolean; virtualHost?: string }): string {
  if (!virtual) return 'none';
  return virtualHost === undefined || UNKNOWN.has(virtualHost) ? 'virtual machine' : virtualHost;
}

/** That part runs a pipeline in a shell whose complaints about missing tools would reach our standard error. */
function canAskSystem(): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, 'grep'), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function known(entries: Readonly<Record<string, string | number | undefined>>): Inventory {
  const inventory: Inventory = {};
  for (const [key, value] of Object.entries(entries)) {
    if (value === undefined || (typeof value === 'string' && UNKNOWN.has(value))) continue;
    if (typeof value === 'number' && !(Number.isFinite(value) && value > 0)) continue;
    inventory[key] = value;
  }
  return inventory;
}
