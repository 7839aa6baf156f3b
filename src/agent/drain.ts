/**
 * Empties a spool by hand: this host's while no agent runs, or one carried over from a host that died. Samples keep
 * their hostname, run and sequence number, so the accounts see them as what they are.
 *
 * It goes on through failures with the agent's own backoff, and gives up when for `patience` ms nothing was
 * acknowledged. What is left stays in the spool.
 */
import type { ResolvedSettings } from '../config/load.ts';
import { KafkaProducer } from '../kafka/producer.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Spool } from '../spool/spool.ts';
import { openShipper } from './open-shipper.ts';
import { openSpool } from './open-spool.ts';
import { Pace } from './pace.ts';
import type { Shipper } from './shipper.ts';

export interface DrainProgress {
  /** Samples in the spool at the start. */
  readonly total: number;
  readonly shipped: number;
  /** What went wrong last, while it does. */
  readonly error: string | undefined;
}

export interface DrainResult {
  readonly shipped: number;
  /** Samples that Kafka refused; each is logged whole and noted. */
  readonly refused: number;
  /** Samples left in the spool. */
  readonly left: number;
  /** Notes of losses that wait for this spool's next sample. */
  readonly notesLeft: number;
  readonly lastError: string | undefined;
}

export interface DrainOptions {
  readonly settings: ResolvedSettings;
  /** How long to go on without an acknowledgement, ms. */
  readonly patience: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly progress: (progress: DrainProgress) => void;
}

/** How often progress is reported, ms. */
const PROGRESS_EVERY_MS = 200;

/** Drains the spool of `settings.spool.path`; throws SPOOL_LOCKED while an agent runs on it. */
export async function drain(options: DrainOptions, stop: AbortSignal): Promise<DrainResult> {
  const { settings, clock, log } = options;
  const producer = KafkaProducer.create(settings.kafka, log, clock);
  const spool = openSpool(settings, 'drain', clock, log);
  try {
    return await drainSpool(options, spool, producer, stop);
  } finally {
    await producer.close();
    spool.close(true);
  }
}

async function drainSpool(
  { settings, patience, clock, log, progress }: DrainOptions,
  spool: Spool,
  producer: KafkaProducer,
  stop: AbortSignal,
): Promise<DrainResult> {
  const pace = new Pace(settings.ship.max_rate, clock);
  const shipper = openShipper(settings, { spool, producer, pace, clock, log });
  const total = spool.depth;
  const giveUp = new AbortController();
  let shipped = 0;
  let progressedAt = clock.monotonic();
  const watch = setInterval(() => {
    if (shipper.shipped !== shipped) progressedAt = clock.monotonic();
    shipped = shipper.shipped;
    progress({ total, shipped, error: currentError(shipper) });
    if (clock.monotonic() - progressedAt > patience) giveUp.abort();
  }, PROGRESS_EVERY_MS);
  try {
    progress({ total, shipped: 0, error: undefined });
    await shipper.run(AbortSignal.any([stop, giveUp.signal]), 'empty');
  } finally {
    clearInterval(watch);
  }
  progress({ total, shipped: shipper.shipped, error: undefined });
  // There may be no agent that gives back to the filesystem what was drained, bit by bit.
  while (!stop.aborted && spool.maintain() > 0);
  return {
    shipped: shipper.shipped,
    refused: shipper.refused,
    left: spool.depth,
    notesLeft: spool.notes(Number.MAX_SAFE_INTEGER).length,
    lastError: spool.depth > 0 ? (shipper.state.last_error ?? undefined) : undefined,
  };
}

function currentError(shipper: Shipper): string | undefined {
  return shipper.state.state === 'backing_off' ? (shipper.state.last_error ?? undefined) : undefined;
}
