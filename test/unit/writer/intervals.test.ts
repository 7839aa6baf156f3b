/** All partitions of a session against a leader that has room for few of their batches in one answer. */
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/lib/log.ts';
import { Intervals } from '../../../src/writer/intervals.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const MESSAGES = 5;
const ROOM = 100;

/** A leader of partitions whose every message is a batch of so many bytes. */
function readAll(sizes: readonly number[]): Map<number, number> {
  const partitions = [...sizes.keys()];
  const load = { messages: 10_000, bytes: 1e9 };
  const taken = new Map(partitions.map((partition) => [partition, 0]));
  const options = { partitions, stored: new Map(), load, clock: new FakeClock(), log: silentLog };
  const intervals = new Intervals({ ...options, came: () => undefined, wake: () => undefined });
  for (let turn = 0; turn < 20 * MESSAGES * sizes.length; turn++) {
    const asked = partitions.map((_, index) => (index + turn) % partitions.length);
    const positions = intervals.positions(asked);
    const [first] = positions.keys();
    for (const [partition, position] of positions) {
      const size = sizes[partition] as number;
      // As a broker does it: the first gets a whole batch however large, the others what has room.
      const fits = Math.max(partition === first ? 1 : 0, Math.floor(ROOM / size));
      const next = Math.min(MESSAGES, position + fits);
      const messages = Array.from({ length: next - position }, (_, index) => {
        const offset = position + index;
        return { offset, key: null, timestamp: 1000, value: Buffer.from(`${partition}:${offset}`), headers: {} };
      });
      intervals.took({ partition, position, messages, next, end: MESSAGES });
      const end = intervals.cut();
      for (const part of end?.parts ?? []) taken.set(part.partition, part.next);
      if (end !== undefined) intervals.committed(end);
    }
  }
  return taken;
}

describe('the partitions of one leader', () => {
  it.each([
    { sizes: [150] },
    { sizes: [150, 150] },
    { sizes: [150, 10] },
    { sizes: [10, 150, 10, 10] },
    { sizes: [150, 60, 150, 60, 150, 60] },
  ])('are all read where batches of $sizes bytes come into answers of 100', ({ sizes }) => {
    expect([...readAll(sizes).values()]).toEqual(sizes.map(() => MESSAGES));
  });
});
