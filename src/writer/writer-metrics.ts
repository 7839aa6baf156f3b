/** What a writer counts: as /metrics shows it, and as its statistics in the log do. */
import { labelled, type Readings } from '../ops/metrics-catalog.ts';
import type { StatsReading } from '../ops/stats.ts';
import type { DeadLetters } from './dead-letters.ts';
import { sum } from './lag-warning.ts';
import type { Loader } from './loader.ts';
import type { Patience } from './patience.ts';
import type { SessionRun } from './session-run.ts';

export interface CountedWriter {
  /** Messages received since the start. */
  readonly received: number;
  readonly loader: Pick<Loader, 'counts' | 'durations' | 'batches'>;
  readonly patience: Patience;
  readonly letterPatience: Patience;
  readonly deadLetters: Pick<DeadLetters, 'sent'>;
  readonly session: Pick<SessionRun, 'lag' | 'waiting'> | undefined;
}

export function writerMetrics({ received, loader, session, deadLetters, ...writer }: CountedWriter): Readings {
  const { loaded, duplicates } = loader.counts;
  const patience = [
    ['database', writer.patience],
    ['dead_letters', writer.letterPatience],
  ] as const;
  return {
    hostspool_errors_total: labelled(
      'kind',
      patience.map(([kind, { errors }]) => [kind, errors]),
    ),
    hostspool_backoff_failures: labelled(
      'target',
      patience.map(([target, { failures }]) => [target, failures]),
    ),
    hostspool_messages_received_total: received,
    hostspool_rows_inserted_total: loaded,
    hostspool_duplicates_dropped_total: duplicates,
    hostspool_load_duration_seconds: loader.durations,
    hostspool_batch_messages: loader.batches,
    hostspool_dead_letters_total: deadLetters.sent,
    hostspool_lag_messages: labelled('partition', session?.lag ?? []),
    hostspool_partitions_assigned: session?.lag.size ?? 0,
    hostspool_messages_waiting: session?.waiting.messages ?? 0,
  };
}

export function writerStats({ received, loader, session, ...writer }: CountedWriter): StatsReading {
  const { loads, loaded, duplicates, loadMs } = loader.counts;
  return {
    totals: { received, loaded },
    counts: {
      duplicates,
      dead_letters: writer.deadLetters.sent,
      loads,
      errors: writer.patience.errors + writer.letterPatience.errors,
    },
    means: { mean_load_ms: [loadMs, loads] },
    gauges: {
      lag: session === undefined ? null : sum(session.lag.values()),
      partitions: session?.lag.size ?? 0,
      waiting: session?.waiting.messages ?? 0,
    },
  };
}
