import { describe, expect, it } from 'vitest';
import { evaluate, type StatusReport } from '../../../src/operate/status.ts';
import { ageInWords, DEFAULT_THRESHOLDS, type Thresholds } from '../../../src/operate/status-findings.ts';
import type { RunReading, SpoolSnapshot } from '../../../src/spool/snapshot.ts';
import type { QueueReading } from '../../../src/spool/snapshot-queue.ts';

const NOW = Date.UTC(2026, 5, 1, 12);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MiB = 1024 * 1024;

const ago = (ms: number) => new Date(NOW - ms).toISOString();

const RUN: RunReading = {
  runId: 'run-2',
  startedAt: NOW - DAY,
  interval: 5000,
  lastSeq: 1000,
  lastSampleAt: NOW - 2 * SECOND,
  ended: 'open',
  thisBoot: true,
};

const EMPTY: QueueReading = {
  depth: 0,
  exact: true,
  oldest: null,
  newest: null,
  runs: [],
  runsComplete: true,
  inflow: null,
  bytesPerSample: null,
};

/** A queue whose oldest sample is so old by the monotonic clock. */
function waiting(age: number, depth = 100): QueueReading {
  const end = (seq: number, since: number) => ({
    runId: 'run-2',
    seq,
    takenAt: NOW - since,
    monotonicAt: 10 * DAY - since,
  });
  return {
    ...EMPTY,
    depth,
    oldest: end(901, age),
    newest: end(1000, 2 * SECOND),
    runs: [{ runId: 'run-2', samples: depth, firstSeq: 901, lastSeq: 1000 }],
    inflow: { runId: 'run-2', perSecond: 0.2 },
    bytesPerSample: 1000,
  };
}

/** An agent in health, with an empty spool. */
const HEALTHY: SpoolSnapshot = {
  path: '/var/lib/hostspool/spool.db',
  at: NOW,
  monotonicAt: 10 * DAY,
  source: 'shared',
  spoolId: 'spool-1',
  queue: EMPTY,
  bytes: 4 * MiB,
  filesystemFree: 100_000 * MiB,
  agent: {
    hostname: 'web-01',
    pid: 77,
    version: '1.2.3',
    max_bytes: 512 * MiB,
    max_age_ms: 7 * DAY,
    interval_ms: 5000,
  },
  holder: { held: true, knownBy: 'lock', pid: 77, ownPid: 77 },
  run: RUN,
  shipping: {
    state: 'idle',
    shipped_total: 1000,
    last_ack_at: ago(2 * SECOND),
    last_error: null,
    failures: 0,
    next_attempt_at: null,
    samples_per_second_out: 0.2,
  },
  losses: [],
  notesPending: 0,
  damage: [],
};

const NOBODY = { held: false, knownBy: 'lock', pid: null, ownPid: null } as const;

function report(change: Partial<SpoolSnapshot> = {}, thresholds: Partial<Thresholds> = {}): StatusReport {
  return evaluate({ ...HEALTHY, ...change }, { ...DEFAULT_THRESHOLDS, ...thresholds }, NOW);
}

function codes({ severity, reason_codes, reasons }: StatusReport) {
  expect(reasons).toHaveLength(reason_codes.length);
  return [severity, ...reason_codes];
}

describe('the status of a spool', () => {
  it('is ok for an agent in health, in exactly the fields of the contract', () => {
    expect(report()).toEqual({
      severity: 'ok',
      reasons: [],
      reason_codes: [],
      checked_at: '2026-06-01T12:00:00.000Z',
      spool: {
        path: '/var/lib/hostspool/spool.db',
        id: 'spool-1',
        source: 'shared',
        depth: 0,
        depth_exact: true,
        bytes: 4 * MiB,
        oldest: null,
        newest: null,
        oldest_age_seconds: 0,
        capacity_bytes: 512 * MiB,
        max_age_seconds: 604_800,
        fill_ratio: 0.0078,
        age_ratio: 0,
        samples_per_second_in: 0.2,
        samples_per_second_out: 0.187,
        seconds_until_full: null,
        filesystem_free_bytes: 100_000 * MiB,
        notes_pending: 0,
        damage: [],
        runs: [],
        runs_complete: true,
      },
      agent: {
        hostname: 'web-01',
        pid: 77,
        running: true,
        run_id: 'run-2',
        last_seq: 1000,
        last_sample_at: '2026-06-01T11:59:58.000Z',
        version: '1.2.3',
        started_at: '2026-05-31T12:00:00.000Z',
        interval_seconds: 5,
        run_ended: 'open',
        known_by: 'lock',
        held_by_pid: 77,
      },
      shipping: {
        state: 'idle',
        shipped_total: 1000,
        last_ack_at: '2026-06-01T11:59:58.000Z',
        last_error: null,
        failures: 0,
        next_attempt_at: null,
      },
      losses: [],
    });
  });

  it('has a plain JSON value in every field, also of a file that holds nonsense', () => {
    const nonsense = {
      ...waiting(MINUTE),
      oldest: { runId: 'run-2', seq: 1, takenAt: 9e18, monotonicAt: -9e18 },
      newest: { runId: 'run-2', seq: 1, takenAt: -9e18, monotonicAt: 0 },
    };
    const made = report({
      queue: nonsense,
      run: { ...RUN, thisBoot: false, startedAt: -9e18, lastSampleAt: 9e18 },
      shipping: { ...HEALTHY.shipping, last_ack_at: 'yesterday', next_attempt_at: '?' },
      losses: [{ reason: 'crash', samples: 1, firstAt: -9e18, lastAt: 9e18 }],
    });
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
    expect(made.shipping.last_ack_at).toBeNull();
  });
});

describe('the age of the oldest sample', () => {
  it('is by the monotonic clock within a boot, whatever the wall clock says', () => {
    const queue = waiting(90 * SECOND);
    const stepped = { ...queue, oldest: { ...(queue.oldest as never as object), takenAt: NOW + DAY } as never };
    expect(report({ queue: stepped }).spool.oldest_age_seconds).toBe(90);
  });

  it('is by the wall clock for a sample of an earlier boot, and never negative', () => {
    const run = { ...RUN, thisBoot: false };
    expect(report({ queue: waiting(90 * SECOND), run }).spool.oldest_age_seconds).toBe(90);
    expect(report({ queue: waiting(-90 * SECOND), run }).spool.oldest_age_seconds).toBe(0);
  });

  it('is a warning at five minutes and critical at an hour', () => {
    expect(codes(report({ queue: waiting(5 * MINUTE - 1) }))).toEqual(['ok']);
    expect(codes(report({ queue: waiting(5 * MINUTE) }))).toEqual(['warning', 'oldest_age']);
    expect(codes(report({ queue: waiting(HOUR - 1) }))).toEqual(['warning', 'oldest_age']);
    expect(codes(report({ queue: waiting(HOUR) }))).toEqual(['critical', 'oldest_age']);
  });

  it('follows the thresholds that are set', () => {
    const thresholds = { warnAge: 10 * SECOND, critAge: 20 * SECOND };
    expect(codes(report({ queue: waiting(15 * SECOND) }, thresholds))).toEqual(['warning', 'oldest_age']);
    expect(codes(report({ queue: waiting(25 * SECOND) }, thresholds))).toEqual(['critical', 'oldest_age']);
  });

  it('is told with the time until the sample is evicted', () => {
    const made = report({ queue: waiting(6.5 * DAY) }, { warnAge: 30 * DAY, critAge: 30 * DAY });
    expect(codes(made)).toEqual(['critical', 'near_max_age']);
    expect(made.reasons).toEqual(['the oldest sample is evicted for its age in 12 h']);
    expect(made.spool.age_ratio).toBe(0.9286);
  });
});

describe('how full it is', () => {
  it('is a warning at half and critical at nine tenths of the capacity', () => {
    expect(codes(report({ bytes: 255 * MiB }))).toEqual(['ok']);
    expect(codes(report({ bytes: 256 * MiB }))).toEqual(['warning', 'fill']);
    expect(codes(report({ bytes: 461 * MiB }))).toEqual(['critical', 'fill']);
  });

  it('comes with the time until it is full, at the rate at which it fills', () => {
    const shipping = { ...HEALTHY.shipping, state: 'backing_off' as const, last_ack_at: ago(HOUR) };
    const { spool } = report({ queue: waiting(HOUR), shipping });
    expect(spool.samples_per_second_out).toBe(0);
    // 508 MiB at 200 bytes a second.
    expect(spool.seconds_until_full).toBe(Math.round((508 * MiB) / 200));
  });

  it('is full when the filesystem is, if that comes first', () => {
    const shipping = { ...HEALTHY.shipping, last_ack_at: null };
    const { spool } = report({ queue: waiting(MINUTE), shipping, filesystemFree: 20 * MiB });
    expect(spool.seconds_until_full).toBe(Math.round((20 * MiB) / 200));
  });

  it('is at no time full while more goes out than comes in', () => {
    const shipping = { ...HEALTHY.shipping, samples_per_second_out: 5000, last_ack_at: ago(0) };
    expect(report({ queue: waiting(MINUTE), shipping }).spool.seconds_until_full).toBeNull();
  });

  it('is at no time full while nothing comes in', () => {
    const { spool } = report({ queue: waiting(MINUTE), holder: NOBODY });
    expect(spool).toMatchObject({ samples_per_second_in: 0, seconds_until_full: null });
  });

  it('is critical on a full filesystem, but only where somebody writes', () => {
    expect(codes(report({ filesystemFree: 1000 }))).toEqual(['critical', 'disk_full']);
    const stopped = { holder: NOBODY, run: { ...RUN, ended: 'clean' as const } };
    expect(codes(report({ ...stopped, filesystemFree: 0 }))).toEqual(['warning', 'agent_stopped']);
  });

  it('is not known of a spool that no agent has written to', () => {
    const { spool } = report({ agent: null, run: null });
    expect(spool).toMatchObject({ capacity_bytes: null, max_age_seconds: null, fill_ratio: null, age_ratio: null });
  });
});

describe('the agent', () => {
  it('is critical when it died', () => {
    const made = report({ holder: NOBODY, queue: waiting(10 * SECOND) });
    expect(codes(made)).toEqual(['critical', 'agent_died']);
    expect(made.reasons).toEqual(['the agent ended without stopping in order, with 100 samples waiting']);
    expect(made.agent).toMatchObject({ running: false, pid: null });
  });

  it('is critical when it stopped in order and samples wait, else a warning', () => {
    const run = { ...RUN, ended: 'clean' as const };
    expect(codes(report({ holder: NOBODY, run, queue: waiting(SECOND) }))).toEqual(['critical', 'agent_stopped']);
    expect(codes(report({ holder: NOBODY, run }))).toEqual(['warning', 'agent_stopped']);
  });

  it('is not the drain that has the spool open', () => {
    const made = report({ holder: { held: true, knownBy: 'lock', pid: 99, ownPid: 99 } });
    expect(codes(made)).toEqual(['warning', 'spool_held']);
    expect(made.agent).toMatchObject({ running: false, pid: null, held_by_pid: 99 });
    expect(made.shipping.state).toBe('idle');
  });

  it('in a container has the id that is seen from here', () => {
    const made = report({ holder: { held: true, knownBy: 'lock', pid: 31_337, ownPid: 77 } });
    expect(made.agent).toMatchObject({ running: true, pid: 31_337 });
  });

  it('is a warning when no sample comes although it runs, and critical after an hour', () => {
    const run = (quiet: number) => ({ ...RUN, lastSampleAt: NOW - quiet });
    expect(codes(report({ run: run(MINUTE) }))).toEqual(['ok']);
    expect(codes(report({ run: run(2 * MINUTE) }))).toEqual(['warning', 'sampling_stalled']);
    expect(codes(report({ run: run(HOUR) }))).toEqual(['critical', 'sampling_stalled']);
    expect(report({ run: run(2 * MINUTE) }).spool.samples_per_second_in).toBe(0);
  });

  it('has ten intervals of time for a sample, however long they are', () => {
    const agent = { ...(HEALTHY.agent as NonNullable<SpoolSnapshot['agent']>), interval_ms: HOUR };
    expect(codes(report({ agent, run: { ...RUN, lastSampleAt: NOW - 9 * HOUR } }))).toEqual(['ok']);
  });

  it('counts from its start while it has taken none', () => {
    const run = { ...RUN, lastSeq: 0, lastSampleAt: null, startedAt: NOW - 10 * SECOND };
    expect(codes(report({ run }))).toEqual(['ok']);
    expect(codes(report({ run: { ...run, startedAt: NOW - 5 * MINUTE } }))).toEqual(['warning', 'sampling_stalled']);
  });
});

describe('shipping', () => {
  const failing = {
    ...HEALTHY.shipping,
    state: 'backing_off' as const,
    failures: 3,
    last_error: 'KAFKA_UNREACHABLE: no broker answers',
    next_attempt_at: ago(-20 * SECOND),
  };

  it('is a warning while it fails, with the error', () => {
    const made = report({ shipping: failing, queue: waiting(MINUTE) });
    expect(codes(made)).toEqual(['warning', 'shipping_failing']);
    expect(made.reasons[0]).toContain('after 3 attempts: KAFKA_UNREACHABLE: no broker answers');
    expect(made.shipping.next_attempt_at).toBe('2026-06-01T12:00:20.000Z');
  });

  it('is stopped where no process is, whatever the file says of its last moment', () => {
    const { shipping } = report({ shipping: failing, holder: NOBODY });
    expect(shipping).toMatchObject({ state: 'stopped', next_attempt_at: null, failures: 3 });
  });

  it('is not stopped in a process that has not made its first attempt yet', () => {
    const shipping = { ...HEALTHY.shipping, state: 'stopped' as const };
    expect(report({ shipping }).shipping.state).toBe('idle');
    expect(report({ shipping, queue: waiting(SECOND) }).shipping.state).toBe('shipping');
    expect(report({ shipping, holder: NOBODY }).shipping.state).toBe('stopped');
  });

  it('has a rate that fades with the time since the last acknowledgement', () => {
    const out = (since: number) =>
      report({ shipping: { ...HEALTHY.shipping, samples_per_second_out: 100, last_ack_at: ago(since) } }).spool
        .samples_per_second_out;
    expect(out(0)).toBe(100);
    expect(out(30 * SECOND)).toBe(36.788);
    expect(out(10 * MINUTE)).toBe(0);
    expect(out(-MINUTE)).toBe(100);
  });
});

describe('losses', () => {
  const loss = (since: number) => [
    { reason: 'spool_full', samples: 1234, firstAt: NOW - 3 * DAY, lastAt: NOW - since },
  ];

  it('are a warning for an hour, and in the report for ever', () => {
    const fresh = report({ losses: loss(59 * MINUTE) });
    expect(codes(fresh)).toEqual(['warning', 'samples_lost']);
    expect(fresh.reasons).toEqual(['samples were lost 59 min ago: spool_full, 1,234 samples in all']);
    const old = report({ losses: loss(HOUR) });
    expect(codes(old)).toEqual(['ok']);
    expect(old.losses).toEqual([{ reason: 'spool_full', samples: 1234, first_at: ago(3 * DAY), last_at: ago(HOUR) }]);
  });

  it('warn for as long as is set, or never', () => {
    expect(codes(report({ losses: loss(5 * HOUR) }, { warnLoss: DAY }))).toEqual(['warning', 'samples_lost']);
    expect(codes(report({ losses: loss(0) }, { warnLoss: 0 }))).toEqual(['ok']);
  });
});

describe('reasons', () => {
  it('come with the worst first', () => {
    const made = report({
      queue: waiting(2 * HOUR),
      shipping: { ...HEALTHY.shipping, state: 'backing_off', failures: 1 },
      damage: ['notes: database disk image is malformed'],
    });
    expect(codes(made)).toEqual(['critical', 'spool_damaged', 'oldest_age', 'shipping_failing']);
  });

  it('do not call an unknown number of samples none', () => {
    const made = report({ queue: null, damage: ['samples: malformed'], holder: NOBODY });
    expect(codes(made)).toEqual(['critical', 'spool_damaged', 'agent_died']);
    expect(made.spool.depth).toBeNull();
  });
});

describe('an age in words', () => {
  it.each([
    [-5, '0 s'],
    [0, '0 s'],
    [1499, '1 s'],
    [59_000, '59 s'],
    [60_000, '1 min'],
    [725_000, '12 min 5 s'],
    [HOUR, '1 h'],
    [DAY + 4 * HOUR + MINUTE, '1 d 4 h'],
    [3 * DAY + 5 * MINUTE, '3 d'],
  ])('says %i ms as %s', (ms, words) => {
    expect(ageInWords(ms)).toBe(words);
  });
});
