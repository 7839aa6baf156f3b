/**
 * The auditor's own test: ways in which the harness' view is falsified before the audit. Each must be found. They
 * change copies, never the product.
 */
import type { Evidence } from './audit.ts';
import type { AccountingRow, DatabaseCopy } from './evidence.ts';

export const SABOTAGES = {
  /** A row that never reached the table. */
  'drop-row': (evidence: Evidence) => withDatabase(evidence, ({ rows }) => ({ rows: rows.toSpliced(middle(rows), 1) })),
  /** A row that is there twice. */
  'double-row': (evidence: Evidence) =>
    withDatabase(evidence, ({ rows }) => ({ rows: [...rows, ...rows.slice(middle(rows), middle(rows) + 1)] })),
  /** A row of a sample that nobody took. */
  'foreign-row': (evidence: Evidence) =>
    withDatabase(evidence, ({ rows }) => ({
      rows: [
        ...rows,
        { event_id: '01900000-0000-7000-8000-000000000000', run_id: null, seq: null, hostname: 'nobody' },
      ],
    })),
  /** A row under another sample's number. */
  'change-row': (evidence: Evidence) =>
    withDatabase(evidence, ({ rows }) => ({
      rows: rows.map((row, index) => (index === middle(rows) ? { ...row, seq: (row.seq ?? 0) + 1000 } : row)),
    })),
  /** A row and its account gone together, so that the product's own sums still agree. */
  'forget-sample': (evidence: Evidence) => forgetSample(evidence),
  /** A run that nobody accounts for. */
  'drop-account': (evidence: Evidence) =>
    withDatabase(evidence, ({ accounting }) => ({ accounting: accounting.toSpliced(middle(accounting), 1) })),
  /** A sample declared missing. */
  'declare-missing': (evidence: Evidence) =>
    withDatabase(evidence, ({ accounting }) => ({
      accounting: accounting.map((row, index) =>
        index === 0 ? { ...row, received: row.received - 1, missing: row.missing + 1 } : row,
      ),
    })),
  /** A row gone, and called lost for a reason that no fault gave. */
  'excuse-loss': (evidence: Evidence) => excuseLoss(evidence),
  /** A partition not read to its end. */
  'fall-behind': (evidence: Evidence) =>
    withDatabase(evidence, ({ offsets }) => ({
      offsets: new Map([...offsets].map(([partition, { next, epoch }]) => [partition, { next: next - 1, epoch }])),
    })),
  /** Two messages of one run in the wrong order. */
  'swap-messages': (evidence: Evidence) => swapMessages(evidence),
  /** A dead letter gone. */
  'drop-dead-letter': (evidence: Evidence): Evidence => {
    const gone = evidence.deadLetters[0]?.poison;
    return { ...evidence, deadLetters: evidence.deadLetters.filter(({ poison }) => poison !== gone) };
  },
} satisfies Record<string, (evidence: Evidence) => Evidence>;

export type Sabotage = keyof typeof SABOTAGES;

function withDatabase(evidence: Evidence, change: (database: DatabaseCopy) => Partial<DatabaseCopy>): Evidence {
  return { ...evidence, database: { ...evidence.database, ...change(evidence.database) } };
}

function forgetSample(evidence: Evidence): Evidence {
  const { rows, accounting, hosts } = evidence.database;
  const lastOf = (run: AccountingRow) =>
    rows.findLastIndex(({ run_id, seq }) => run_id === run.run_id && seq === run.taken);
  const run = accounting.find((row) => lastOf(row) >= 0);
  if (run === undefined) return evidence;
  const last = lastOf(run);
  return withDatabase(evidence, () => ({
    rows: rows.toSpliced(last, 1),
    accounting: accounting.map((row) =>
      row === run ? { ...row, taken: row.taken - 1, received: row.received - 1 } : row,
    ),
    hosts: hosts.map((row) =>
      row.hostname === run.hostname ? { ...row, samples: row.samples - 1, received: row.received - 1 } : row,
    ),
  }));
}

function excuseLoss(evidence: Evidence): Evidence {
  const { rows, accounting, hosts } = evidence.database;
  const gone = rows[middle(rows)];
  return withDatabase(evidence, () => ({
    rows: rows.filter((row) => row !== gone),
    accounting: accounting.map((row) =>
      row.run_id === gone?.run_id
        ? { ...row, received: row.received - 1, lost: row.lost + 1, reasons: { ...row.reasons, spool_full: 1 } }
        : row,
    ),
    hosts: hosts.map((row) =>
      row.hostname === gone?.hostname
        ? { ...row, samples: row.samples - 1, received: row.received - 1, lost: row.lost + 1 }
        : row,
    ),
  }));
}

function swapMessages(evidence: Evidence): Evidence {
  const { messages } = evidence.topic;
  for (const [first, message] of messages.entries()) {
    const second = messages.findIndex(
      ({ run_id, partition, seq }, index) =>
        index > first &&
        run_id !== null &&
        run_id === message.run_id &&
        partition === message.partition &&
        seq !== message.seq,
    );
    if (second < 0) continue;
    const swapped = [...messages];
    swapped[first] = { ...(messages[second] as (typeof messages)[number]), offset: message.offset };
    swapped[second] = { ...message, offset: (messages[second] as (typeof messages)[number]).offset };
    return { ...evidence, topic: { ...evidence.topic, messages: swapped } };
  }
  return evidence;
}

function middle(items: readonly unknown[]): number {
  return Math.floor(items.length / 2);
}
