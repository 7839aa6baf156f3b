/** Whatever the files hold: a value is in its range or not there, and nothing but COLLECT_REQUIRED is thrown. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DETAIL_ENTRIES } from '../../../src/collect/collector.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';
import type { HostReading } from '../../../src/sample/sample.ts';
import { damage, FUZZ_LIMIT, runs } from '../../support/fuzz.ts';
import { Tree, USAGE } from './tree.ts';

/** Of three readings, on a busy machine. */
const LIMIT_MS = 10_000;
const FILES = [
  'proc/stat',
  'proc/meminfo',
  'proc/zoneinfo',
  'proc/1/net/dev',
  'proc/1/mountinfo',
  'proc/diskstats',
  'proc/loadavg',
  'proc/uptime',
  'proc/pressure/cpu',
  'proc/pressure/memory',
  'proc/pressure/io',
];

/** Bytes of any kind; text of the shape that the kernel writes; or a small change to the real text. */
type Change = (original: string) => string | Uint8Array;
const token = fc.oneof(
  fc.constantFrom('cpu ', 'cpu0', '\n', ' ', ':', 'lo:', 'sda', 'some avg10=', 'MemTotal:', 'MemFree:', '-', '.', '/'),
  fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String),
);
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => () => bytes),
  fc.array(token, { maxLength: 60 }).map((tokens) => () => tokens.join('')),
  fc.tuple(fc.nat(), fc.nat({ max: 40 }), fc.oneof(token, fc.string())).map(
    ([at, length, text]): Change =>
      (original) => {
        const start = at % (original.length + 1);
        return original.slice(0, start) + text + original.slice(start + length);
      },
  ),
  fc.bigInt({ min: 0n, max: 2n ** 64n }).map(
    (number): Change =>
      (original) =>
        original.replace(/\d+/g, `${number}`),
  ),
  damage(3).map(
    (change): Change =>
      (original) =>
        change(Buffer.from(original)),
  ),
  // Many disks, interfaces or mounts; the same one over and over.
  fc.integer({ min: 2, max: 300 }).map(
    (times): Change =>
      (original) =>
        original.repeat(times),
  ),
);

const isPercent = (name: string) => name.endsWith('percent');
const isCounter = (name: string) => /bytes|count$|errors|drops|reads|writes/.test(name);

function checkValue(name: string, value: unknown): void {
  if (typeof value === 'string') return;
  expect(Number.isFinite(value), `${name} = ${value}`).toBe(true);
  const number = value as number;
  expect(number, name).toBeGreaterThanOrEqual(0);
  if (isPercent(name)) expect(number, name).toBeLessThanOrEqual(100);
  if (isCounter(name)) expect(Number.isSafeInteger(number), `${name} = ${number}`).toBe(true);
  else if (number < 2 ** 33) expect(Math.abs(Math.round(number * 100) - number * 100), name).toBeLessThan(0.001);
}

function checkReading(reading: HostReading): void {
  for (const [name, value] of Object.entries(reading)) {
    if (!Array.isArray(value)) checkValue(name, value);
    else {
      expect(value.length).toBeLessThanOrEqual(DETAIL_ENTRIES);
      for (const entry of value) for (const [field, part] of Object.entries(entry)) checkValue(field, part);
    }
  }
  expect(reading.memory_used_mb).toBeLessThanOrEqual(reading.memory_total_mb);
  expect(reading.disk_used_gb).toBeLessThanOrEqual(reading.disk_total_gb);
}

async function checkOutcome(read: Promise<HostReading>): Promise<void> {
  try {
    checkReading(await read);
  } catch (error) {
    if (!(error instanceof HostspoolError)) throw error;
    expect(error.code).toBe('COLLECT_REQUIRED');
    expect(error.retryable).toBe(true);
  }
}

describe('garbage', () => {
  it(
    'in any files never yields a value out of its range nor another error',
    async () => {
      using tree = new Tree('linux-6.8-server');
      tree.write('proc/zoneinfo', 'Node 0, zone DMA\n  pages free 3000\n        low      112\n');
      const originals = new Map(FILES.map((path) => [path, tree.read(path)]));
      const changes = fc.array(fc.tuple(fc.constantFrom(...FILES), change), { minLength: 1, maxLength: 3 });
      await fc.assert(
        fc
          .asyncProperty(changes, fc.boolean(), async (files, atOpening) => {
            const write = () => {
              for (const [path, garble] of files) tree.write(path, garble(originals.get(path) as string));
            };
            if (atOpening) write();
            const collector = tree.open({ details: true });
            const began = performance.now();
            try {
              write();
              await checkOutcome(collector.read());
              for (const [path, text] of originals) tree.write(path, text);
              await checkOutcome(collector.read());
              checkReading(await collector.read());
              expect(performance.now() - began).toBeLessThan(LIMIT_MS);
            } finally {
              collector.close();
            }
          })
          .afterEach(() => {
            for (const [path, text] of originals) tree.write(path, text);
          }),
        runs(300),
      );
    },
    FUZZ_LIMIT,
  );

  it('from statfs neither', async () => {
    using tree = new Tree('linux-4.9-no-psi');
    const number = fc.oneof(fc.double(), fc.maxSafeNat(), fc.constantFrom(0, -1, 2 ** 64 - 1));
    const usage = fc.record({ bsize: number, frsize: number, blocks: number, bfree: number, bavail: number });
    let answer = USAGE;
    const collector = tree.open({ details: true, statfs: async () => answer });
    await fc.assert(
      fc.asyncProperty(usage, async (garbage) => {
        answer = garbage;
        await checkOutcome(collector.read());
      }),
      runs(100),
    );
    collector.close();
  });
});
