import { describe, expect, it } from 'vitest';
import { FAULTS, LOST_LOG_FAULTS } from '../../storm/faults/index.ts';
import { growth } from '../../storm/resources.ts';
import { makeSchedule, type StormShape } from '../../storm/schedule.ts';

const shape: StormShape = { seed: 7, agents: 4, writers: 3, durationMs: 600_000 };
const written = (given: StormShape) =>
  makeSchedule(given, FAULTS).map(({ on, target, faults }) => [
    `${on} ${target}`,
    ...faults.map(({ after, fault, seed }) => `${after} ${fault.name} ${seed}`),
  ]);

describe('the schedule of a storm', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(written(shape)).toEqual(written(shape));
    expect(written({ ...shape, seed: 8 })).not.toEqual(written(shape));
  });

  it('has a lane for each target and, in ten minutes, every fault', () => {
    const lanes = makeSchedule(shape, FAULTS);
    expect(lanes.filter(({ on }) => on === 'agent link')).toHaveLength(4);
    const planned = new Set(lanes.flatMap(({ faults }) => faults.map(({ fault }) => fault.name)));
    expect([...planned].sort()).toEqual(FAULTS.map(({ name }) => name).sort());
  });

  it('leaves one agent and one writer alive all the time where it is long', () => {
    const killed = (durationMs: number, kind: string) =>
      makeSchedule({ ...shape, durationMs }, FAULTS).filter(({ on }) => on === kind).length;
    expect([killed(600_000, 'agent'), killed(600_000, 'writer')]).toEqual([3, 2]);
    expect([killed(60_000, 'agent'), killed(60_000, 'writer')]).toEqual([4, 3]);
  });

  it('has no two faults of one name', () => {
    for (const faults of [FAULTS, LOST_LOG_FAULTS]) {
      expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length);
    }
  });

  it('leaves the writers and the ways to the broker alone where logs lose messages', () => {
    const planned = makeSchedule(shape, LOST_LOG_FAULTS).filter(({ faults }) => faults.length > 0);
    expect(new Set(planned.map(({ on }) => on))).toEqual(new Set(['agent', 'topic']));
  });
});

describe('the judgement of leaks', () => {
  const life = (readings: number, grows: (second: number) => number) =>
    Array.from({ length: readings }, (_, second) => ({ residentMiB: grows(second), descriptors: 20 }));

  it('finds memory that only rises, and forgives a start, bursts and a short life', () => {
    expect(growth(life(300, (second) => 80 + second / 2))).toHaveLength(1);
    expect(growth(life(300, (second) => Math.min(120, 60 + second * 2)))).toEqual([]);
    expect(growth(life(300, (second) => (second % 10 === 0 ? 90 : 190)))).toEqual([]);
    expect(growth(life(30, (second) => 80 + second * 10))).toEqual([]);
  });

  it('finds descriptors that are never closed', () => {
    const usage = Array.from({ length: 90 }, (_, second) => ({ residentMiB: 90, descriptors: 20 + second }));
    expect(growth(usage)).toHaveLength(1);
  });
});
