/** The evidence of a small storm that cost nothing but what it may: one agent, killed once, then stopped in order. */
import type { Evidence } from '../../storm/audit.ts';
import type { TableRow, TopicMessage } from '../../storm/evidence.ts';
import { LedgerBook } from '../../storm/ledger.ts';

export const HOST = 'storm-agent-1';
export const FIRST_RUN = '01900000-0000-7000-8000-0000000000a1';
export const LAST_RUN = '01900000-0000-7000-8000-0000000000a2';
export const POISON_RUN = '01900000-0000-7000-8000-0000000000a3';
export const PLAIN_EVENT = 'aaaaaaaa-aaaa-8aaa-8aaa-aaaaaaaaaaaa';

const eventOf = (run: string, seq: number) => `${run.slice(0, -6)}${run.slice(-2)}${String(seq).padStart(4, '0')}`;

/**
 * The first run took seven samples and was killed: the sixth died in its append (`crash`), the seventh before it. The
 * last run took four.
 */
export function aStorm(): Evidence {
  const book = new LedgerBook();
  take(book, FIRST_RUN, 7);
  book.ended(HOST, 'killed', () => 6);
  take(book, LAST_RUN, 4);
  book.ended(HOST, 'stopped', () => 4);
  book.plain.set(PLAIN_EVENT, 'plain-1');
  book.poison.add(1).add(2);
  book.poisonRuns.set(POISON_RUN, 1);
  const rows: TableRow[] = [
    ...rowsOf(FIRST_RUN, 5),
    ...rowsOf(LAST_RUN, 4),
    { event_id: PLAIN_EVENT, run_id: null, seq: null, hostname: 'plain-1' },
  ];
  const messages: TopicMessage[] = [
    // The third was sent again after it had been acknowledged to nobody.
    ...rows.slice(0, 3),
    ...rows.slice(2),
  ].map((row, offset) => ({ ...row, partition: 0, offset, poison: null, notes: [] }));
  const poison = [1, 2].map((number, index) => ({
    partition: 0,
    offset: messages.length + index,
    event_id: null,
    run_id: null,
    seq: null,
    poison: number,
    notes: [],
  }));
  return {
    ledger: book.close(),
    database: {
      rows,
      accounting: [
        account(FIRST_RUN, HOST, { taken: 6, received: 5, lost: 1, ended: 'unclean', reasons: { crash: 1 } }),
        account(LAST_RUN, HOST, { taken: 4, received: 4, lost: 0, ended: null, reasons: {} }),
        account(POISON_RUN, 'poison', { taken: 1, received: 0, lost: 1, ended: null, reasons: { dead_letter: 1 } }),
      ],
      gaps: [
        { run_id: FIRST_RUN, first_seq: 6, last_seq: 6, reason: 'crash' },
        { run_id: POISON_RUN, first_seq: 1, last_seq: 1, reason: 'dead_letter' },
      ],
      hosts: [
        { hostname: HOST, samples: 9, received: 9, lost: 1, missing: 0 },
        { hostname: 'plain-1', samples: 1, received: 0, lost: 0, missing: 0 },
        { hostname: 'poison', samples: 0, received: 0, lost: 1, missing: 0 },
      ],
      offsets: new Map([[0, { next: messages.length + 2, epoch: 0 }]]),
      holes: 0,
    },
    topic: { messages: [...messages, ...poison], ends: new Map([[0, messages.length + 2]]), madeAnew: 0, cutShort: 0 },
    deadLetters: [1, 2].map((number) => ({ poison: number, reason: 'value: not JSON', value: 'x' })),
  };
}

function take(book: LedgerBook, run: string, samples: number): void {
  book.line(HOST, { event: 'agent_started', run_id: run });
  for (let seq = 1; seq <= samples; seq++) {
    book.line(HOST, { event: 'sample_taken', event_id: eventOf(run, seq), run_id: run, seq });
  }
}

function rowsOf(run: string, samples: number): TableRow[] {
  return Array.from({ length: samples }, (_, index) => ({
    event_id: eventOf(run, index + 1),
    run_id: run,
    seq: index + 1,
    hostname: HOST,
  }));
}

function account(
  run_id: string,
  hostname: string,
  said: { taken: number; received: number; lost: number; ended: string | null; reasons: Record<string, number> },
) {
  return { run_id, hostname, missing: 0, uncertain: false, ...said };
}
