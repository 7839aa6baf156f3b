/**
 * The verdict: ledger = rows + losses on record, nothing twice, nothing that nobody took.
 *
 * A pure function over the ledger and copies of topic, table and views, so it can be tried itself: sabotage.ts alters
 * a copy, and each alteration must be found. An empty list is the only good result. Nothing here trusts the product's
 * own sums: rows are counted from the table, and the views are held against them.
 */
import type { AccountingRow, DatabaseCopy, DeadLetter, GapRow, TableRow, TopicCopy } from './evidence.ts';
import type { Ledger, LedgerRun } from './ledger.ts';

export interface Evidence {
  readonly ledger: Ledger;
  readonly database: DatabaseCopy;
  readonly topic: TopicCopy;
  readonly deadLetters: readonly DeadLetter[];
}

export interface Finding {
  /** Stable name of what was found. */
  readonly check: string;
  readonly message: string;
}

/** Why a killed agent may have lost its last sample. */
const DEATH_REASONS: readonly string[] = ['crash'];
/** No reason of the product's: the run's account ends before it. */
const UNTOLD = 'untold';

export function audit(evidence: Evidence): Finding[] {
  return [
    ...auditRows(evidence),
    ...evidence.ledger.runs.flatMap((run) => auditRun(run, evidence)),
    ...auditAccounts(evidence),
    ...auditHosts(evidence),
    ...auditTopic(evidence),
    ...auditDeadLetters(evidence),
  ];
}

/** Every row once, and only what was taken. */
function auditRows({ ledger, database }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const taken = new Map<string, { run: LedgerRun; seq: number }>();
  for (const run of ledger.runs) {
    run.events.forEach((event, index) => {
      if (taken.has(event)) findings.push(found('ledger', `${event} was taken twice`));
      taken.set(event, { run, seq: index + 1 });
    });
  }
  const seen = new Set<string>();
  for (const row of database.rows) {
    if (seen.has(row.event_id)) findings.push(found('twice', `${describe(row)} is in the table more than once`));
    seen.add(row.event_id);
    const source = taken.get(row.event_id);
    if (source === undefined) {
      if (ledger.plain.get(row.event_id) === row.hostname && row.run_id === null && row.seq === null) continue;
      findings.push(found('unknown row', `${describe(row)} is in the table and nobody took it`));
    } else if (source.run.runId !== row.run_id || source.seq !== row.seq || source.run.hostname !== row.hostname) {
      findings.push(
        found('changed row', `${describe(row)} was taken as ${source.run.hostname} ${source.run.runId} ${source.seq}`),
      );
    }
  }
  for (const [event, hostname] of ledger.plain) {
    if (!seen.has(event))
      findings.push(found('absent', `${event}, a plain message of ${hostname}, is not in the table`));
  }
  return findings;
}

/** One run: rows + losses on record = ledger, each loss for a reason that this run can have. */
function auditRun(run: LedgerRun, { database, topic }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const say = (check: string, message: string) =>
    findings.push(
      found(check, `${run.hostname}, run ${run.runId} (${run.events.length} taken, ${run.ending}): ${message}`),
    );
  const inTable = new Set(database.rows.filter(({ run_id }) => run_id === run.runId).map(({ seq }) => seq));
  const inTopic = new Set(topic.messages.filter(({ run_id }) => run_id === run.runId).map(({ seq }) => seq));
  const taken = run.events.length - (run.lastUnbegun ? 1 : 0);
  const absent: number[] = [];
  for (let seq = 1; seq <= taken; seq++) if (!inTable.has(seq)) absent.push(seq);
  if (run.lastUnbegun && (inTable.has(taken + 1) || inTopic.has(taken + 1))) {
    say('unbegun', `sample ${taken + 1} arrived, though its append had never begun`);
  }
  const account = database.accounting.find(({ run_id }) => run_id === run.runId);
  const reasonOf = reasonsByNumber(run.runId, database.gaps);
  // The end of a run whose last messages went with the log: nobody could tell the centre of it.
  const untold = run.untold ? absent.filter((seq) => seq > (account?.taken ?? 0)) : [];
  const excused = absent.filter(
    (seq) => !inTopic.has(seq) && isExcused(run, taken, seq, untold.includes(seq) ? UNTOLD : reasonOf.get(seq)),
  );
  const unexcused = absent.filter((seq) => !excused.includes(seq));
  const [inLog, nowhere] = [true, false].map((is) => unexcused.filter((seq) => inTopic.has(seq) === is));
  if (inLog?.length) say('absent', `${ranges(inLog)} are in the topic, not in the table, and no fault may cost them`);
  if (nowhere?.length) say('absent', `${ranges(nowhere)} never reached the topic, and no fault may cost them`);
  if (account === undefined) {
    if (taken > untold.length) say('no account', 'vw_sample_accounting does not know it');
    return findings;
  }
  if (account.hostname !== run.hostname) say('account', `its account is of ${account.hostname}`);
  // A note made from a damaged file may say too much, never too little.
  const tooMuch = run.uncertain ? Math.max(0, account.taken - taken) : 0;
  if (account.taken !== taken + tooMuch - untold.length) {
    say('account', `the account has ${account.taken} taken, the ledger ${taken}`);
  }
  if (account.received !== inTable.size) {
    say('account', `the account has ${account.received} received, the table ${inTable.size} rows`);
  }
  if (account.lost !== absent.length + tooMuch - untold.length) {
    say('account', `the account has ${account.lost} lost, ${absent.length} are absent (${ranges(absent)})`);
  }
  for (const [reason, samples] of Object.entries(account.reasons)) {
    const explained = excused.filter((seq) => reasonOf.get(seq) === reason).length;
    if (samples > explained + tooMuch) say('reason', `${samples} lost for ${reason}; faults explain ${explained}`);
  }
  if (account.uncertain && !run.uncertain)
    say('uncertain', 'the account calls its tail uncertain; no fault explains it');
  const ended = run.last ? null : run.ending === 'killed' ? 'unclean' : 'clean';
  // On a disk without room the end of a run can't be written.
  const isFullAtEnd = isExcused(run, taken, taken, 'disk_full');
  const mayBeUnclean = (run.uncertain || isFullAtEnd) && ended === 'clean' && account.ended === 'unclean';
  const mayBeOpen = run.untold && account.ended === null;
  if (account.ended !== ended && !mayBeUnclean && !mayBeOpen)
    say('ending', `the account says it ended ${account.ended}, it should be ${ended}`);
  return findings;
}

/** Whether a fault may have cost the run this sample, for the reason on record; `untold`: nobody can know one. */
function isExcused(run: LedgerRun, taken: number, seq: number, reason: string | undefined): boolean {
  if (reason === undefined) return false;
  // A note of a loss that went with a damaged spool is replaced by what the recovery makes of it.
  const replaced = run.uncertain && reason === 'spool_corrupt';
  const fits = (reasons: readonly string[]) => reason === UNTOLD || replaced || reasons.includes(reason);
  if (run.ending === 'killed' && seq === taken && fits(DEATH_REASONS)) return true;
  return run.excuses.some(({ first, last, reasons }) => first <= seq && seq <= last && fits(reasons));
}

/** Number to the reason on record why it did not arrive. */
function reasonsByNumber(runId: string, gaps: readonly GapRow[]): ReadonlyMap<number, string> {
  const reasons = new Map<number, string>();
  for (const { run_id, first_seq, last_seq, reason } of gaps) {
    if (run_id !== runId || reason === null) continue;
    for (let seq = first_seq; seq <= last_seq; seq++) reasons.set(seq, reason);
  }
  return reasons;
}

/** The view by itself: nothing missing, sums that agree, no run that nobody had. */
function auditAccounts({ ledger, database }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const known = new Set(ledger.runs.map(({ runId }) => runId));
  const seen = new Set<string>();
  for (const account of database.accounting) {
    const say = (check: string, message: string) => findings.push(found(check, `run ${account.run_id}: ${message}`));
    if (seen.has(account.run_id)) say('account', 'it has two rows in vw_sample_accounting');
    seen.add(account.run_id);
    if (account.missing !== 0) say('missing', `${account.missing} samples are missing`);
    const reasons = Object.values(account.reasons).reduce((sum, samples) => sum + samples, 0);
    if (account.lost !== reasons) say('account', `${account.lost} lost, but its reasons sum up to ${reasons}`);
    if (account.received + account.lost + account.missing !== account.taken) say('account', 'its parts do not sum up');
    const poison = ledger.poisonRuns.get(account.run_id);
    if (poison !== undefined) findings.push(...auditPoisonRun(account, poison));
    else if (!known.has(account.run_id)) say('unknown run', `${account.hostname}: no agent had this run`);
  }
  for (const runId of ledger.poisonRuns.keys()) {
    if (!seen.has(runId)) findings.push(found('no account', `run ${runId}, known from poison only, has no account`));
  }
  return findings;
}

function auditPoisonRun(account: AccountingRow, samples: number): Finding[] {
  if (account.lost === samples && account.received === 0 && account.reasons.dead_letter === samples) return [];
  return [
    found('account', `run ${account.run_id}: ${samples} poison samples, accounted as ${JSON.stringify(account)}`),
  ];
}

/** The fleet's sums are those of the table and of the accounts. */
function auditHosts({ database }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const names = new Set([...database.rows, ...database.accounting].map(({ hostname }) => hostname));
  for (const hostname of names) {
    const host = database.hosts.find((row) => row.hostname === hostname);
    if (host === undefined) {
      findings.push(found('host', `${hostname} is not in hosts`));
      continue;
    }
    const accounts = database.accounting.filter((row) => row.hostname === hostname);
    const sum = (part: 'received' | 'lost' | 'missing') => accounts.reduce((total, row) => total + row[part], 0);
    const expected = {
      hostname,
      samples: database.rows.filter((row) => row.hostname === hostname).length,
      received: sum('received'),
      lost: sum('lost'),
      missing: sum('missing'),
    };
    for (const part of ['samples', 'received', 'lost', 'missing'] as const) {
      if (host[part] === expected[part]) continue;
      findings.push(found('host', `${hostname}: hosts has ${part} ${host[part]}, it should be ${expected[part]}`));
    }
  }
  return findings;
}

/** First occurrences in order within a partition; everything in the log was read. */
function auditTopic({ ledger, database, topic }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const taken = new Map(
    ledger.runs.flatMap(({ runId, events }) => events.map((event, index) => [event, `${runId} ${index + 1}`])),
  );
  const last = new Map<string, number>();
  const seen = new Set<string>();
  const elsewhere = inSeveralPartitions(topic);
  // What is carried over from a damaged spool may be back in it after what came later has left.
  const damaged = new Set(ledger.runs.filter(({ uncertain }) => uncertain).map(({ runId }) => runId));
  for (const { partition, offset, event_id, run_id, seq, poison } of topic.messages) {
    if (event_id === null || run_id === null || seq === null || poison !== null) continue;
    const where = `partition ${partition}, offset ${offset}`;
    if (taken.get(event_id) !== `${run_id} ${seq}`)
      findings.push(found('unknown message', `${where}: nobody took ${event_id}`));
    if (seen.has(event_id) || elsewhere.has(event_id)) continue;
    seen.add(event_id);
    const key = `${partition} ${run_id}`;
    const before = last.get(key) ?? 0;
    if (seq < before && !damaged.has(run_id))
      findings.push(found('order', `${where}: run ${run_id} has ${seq} after ${before}`));
    last.set(key, Math.max(before, seq));
  }
  for (const [partition, end] of topic.ends) {
    const next = database.offsets.get(partition)?.next ?? 0;
    if (next !== end)
      findings.push(found('offset', `partition ${partition} is loaded up to ${next}, its log ends at ${end}`));
  }
  for (const [partition, { epoch }] of database.offsets) {
    if (epoch > topic.madeAnew)
      findings.push(found('offset', `partition ${partition} has epoch ${epoch}; made anew ${topic.madeAnew} times`));
  }
  if (database.holes > 0 && topic.madeAnew === 0 && topic.cutShort === 0)
    findings.push(found('hole', `${database.holes} holes of the log are on record; it has none`));
  return findings;
}

/** Sent again after its key had moved with a partition that was added: no offset tells which of the two came first. */
function inSeveralPartitions({ messages }: TopicCopy): ReadonlySet<string> {
  const partitionOf = new Map<string, number>();
  const several = new Set<string>();
  for (const { event_id, partition } of messages) {
    if (event_id === null) continue;
    if ((partitionOf.get(event_id) ?? partition) !== partition) several.add(event_id);
    partitionOf.set(event_id, partition);
  }
  return several;
}

/** All poison is there with its reason, and nothing but poison. */
function auditDeadLetters({ ledger, deadLetters }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<number>();
  for (const { poison, reason, value } of deadLetters) {
    if (poison === null || !ledger.poison.has(poison)) {
      findings.push(found('dead letter', `no poison, and yet a dead letter (${reason}): ${value.slice(0, 200)}`));
    } else {
      seen.add(poison);
      if (reason === null || reason === '') findings.push(found('dead letter', `poison ${poison} has no reason`));
    }
  }
  for (const poison of ledger.poison) {
    if (!seen.has(poison)) findings.push(found('dead letter', `poison ${poison} is not in the dead-letter topic`));
  }
  return findings;
}

/** `1–3, 7`. */
function ranges(seqs: readonly number[]): string {
  const found: [number, number][] = [];
  for (const seq of seqs) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === seq - 1) last[1] = seq;
    else found.push([seq, seq]);
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`)).join(', ') || 'none';
}

function describe({ event_id, hostname, run_id, seq }: TableRow): string {
  return `${event_id} (${hostname}, run ${run_id}, ${seq})`;
}

function found(check: string, message: string): Finding {
  return { check, message };
}
