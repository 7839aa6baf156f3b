/** Messages that no writer can turn into a row. None of them may cost another message anything. */
import { uuidv7 } from 'uuidv7';
import type { Random } from './random.ts';

export interface Poison {
  readonly value: Buffer | null;
  /** Where run and number can be read: a run of one sample that nobody else knows. */
  readonly runId?: string;
}

type Recipe = (random: Random) => Poison;

const FIELDS = {
  hostname: 'poison',
  timestamp: '2026-01-01T00:00:00.000Z',
  cpu_percent: 1,
  memory_percent: 1,
  memory_used_mb: 1,
  memory_total_mb: 1,
  disk_percent: 1,
  disk_used_gb: 1,
  disk_total_gb: 1,
  network_bytes_sent: 1,
  network_bytes_recv: 1,
};

const text = (value: string): Poison => ({ value: Buffer.from(value) });
const sample = (changes: Readonly<Record<string, unknown>>): Poison => text(JSON.stringify({ ...FIELDS, ...changes }));

export const POISON: readonly Recipe[] = [
  () => ({ value: null }),
  () => text(''),
  () => text('not JSON at all'),
  () => text('[1, 2, 3]'),
  () => text('null'),
  () => text(JSON.stringify(FIELDS).slice(0, -20)),
  () => text(JSON.stringify(FIELDS).replace('"cpu_percent":1', '"cpu_percent":NaN')),
  () => text(JSON.stringify(FIELDS).replace('"cpu_percent":1', `"cpu_percent":${'9'.repeat(400)}`)),
  () => text('['.repeat(5000)),
  (random) => ({ value: Buffer.from(Array.from({ length: random.integer(1, 300) }, () => random.integer(128, 255))) }),
  () => sample({ cpu_percent: '12' }),
  () => sample({ cpu_percent: 101 }),
  () => sample({ network_bytes_sent: -1 }),
  () => sample({ hostname: 'x'.repeat(100_000) }),
  () => sample({ hostname: 'lone \ud800 surrogate' }),
  () => sample({ hostname: '' }),
  () => sample({ timestamp: 'yesterday' }),
  () => sample({ event_id: 'none' }),
  () => {
    const runId = uuidv7();
    return { ...sample({ event_id: uuidv7(), run_id: runId, seq: 1, memory_percent: 'broken' }), runId };
  },
];
