/**
 * What the salvaged rows of the small tables, and the numbers of the samples, tell of the spool that was damaged. All
 * of it is kept in memory: a few hundred bytes for each run, note and hole.
 *
 * A row may come more than once, also as it once was: from an old image of its page. Totals and numbers only ever grow,
 * so the greatest counts; of what was acknowledged the least, since the doubt goes against it.
 */
import { isUuid, uuidToBytes } from '../sample/identity.ts';
import type { RunEvidence } from './gone.ts';
import type { KnownTail } from './ports.ts';
import type { LossTotal, SpoolRow, StoredNote } from './rows.ts';
import { SeqSet } from './seq-set.ts';
import type { RunRow, SampleRow } from './store.ts';

export interface RunFacts extends RunEvidence {
  readonly id: Buffer;
  row: RunRow | undefined;
  certain: boolean;
  heardOf: number;
  acked: number;
  idsBehind: number;
  /** Whether a note of its end was found. */
  endNoted: boolean;
  /** All of it is acknowledged, the notes about it too. */
  told: boolean;
  /** As the run's samples say; undefined as long as none was asked. */
  hostname: string | undefined;
  /** Id of its first sample that was carried over; 0 without one. */
  firstId: number;
}

export class Evidence {
  readonly #runs = new Map<string, RunFacts>();
  readonly #notes = new Map<string, StoredNote>();
  readonly losses = new Map<string, LossTotal>();
  readonly state = new Map<string, string>();
  /** The greatest id ever given, by table. */
  readonly sequences = new Map<string, number>();

  /** Takes a row of any table but that of the samples. */
  take({ table, row }: Exclude<SpoolRow, { table: 'samples' }>): void {
    switch (table) {
      case 'runs':
        this.#takeRun(row);
        break;
      case 'notes':
        this.#takeNote(row);
        break;
      case 'losses':
        if (row.samples > (this.losses.get(row.reason)?.samples ?? -1)) this.losses.set(row.reason, row);
        break;
      case 'state':
        if (!this.state.has(row.key) && isStateValue(row.key, row.value)) this.state.set(row.key, row.value);
        break;
      case 'sqlite_sequence':
        this.sequences.set(row.name, Math.max(row.seq, this.sequences.get(row.name) ?? 0));
        break;
    }
  }

  /** A sample that is not carried over: there was one of this number. */
  hear({ run_id, seq, payload }: SampleRow): void {
    const facts = this.run(run_id);
    facts.heardOf = Math.max(facts.heardOf, seq);
    facts.hostname ??= hostnameIn(payload);
  }

  /** The tail file says how far its run came; then the ids need not. */
  hearTail({ runId, seq, acked = 0, told = false }: KnownTail): void {
    if (seq === 0) return;
    const facts = this.run(uuidToBytes(runId));
    facts.told ||= told;
    facts.acked = Math.max(facts.acked, told ? seq : acked);
    facts.heardOf = Math.max(facts.heardOf, seq);
    facts.idsBehind = 0;
  }

  run(id: Buffer): RunFacts {
    const key = id.toString('latin1');
    const known = this.#runs.get(key);
    if (known !== undefined) return known;
    const facts: RunFacts = {
      id,
      row: undefined,
      certain: true,
      heardOf: 0,
      acked: 0,
      idsBehind: 0,
      endNoted: false,
      told: false,
      hostname: undefined,
      firstId: 0,
      present: new SeqSet(),
      noted: new SeqSet(),
    };
    this.#runs.set(key, facts);
    return facts;
  }

  /** By age: a run's id begins with its time. */
  runs(): RunFacts[] {
    return [...this.#runs.values()].sort((one, other) => Buffer.compare(one.id, other.id));
  }

  /** In the order they were written. */
  notes(): StoredNote[] {
    return [...this.#notes.values()].sort((one, other) => one.id - other.id);
  }

  /** The host that the spool is of, as far as anything in it says so. */
  anyHostname(): string | undefined {
    const agent = this.state.get('agent');
    const fromAgent = agent === undefined ? undefined : hostnameIn(agent);
    const others = [...this.#runs.values()].map(({ row, hostname }) => row?.hostname ?? hostname);
    return fromAgent ?? others.find((hostname) => hostname !== undefined);
  }

  /** Two rows of one run that differ: one of them is of an old image. */
  #takeRun(row: RunRow): void {
    const facts = this.run(row.run_id);
    if (facts.row === undefined) {
      facts.row = row;
      return;
    }
    const { last_seq, acked_seq, ended } = facts.row;
    if (last_seq !== row.last_seq || acked_seq !== row.acked_seq || ended !== row.ended) facts.certain = false;
    facts.row = {
      ...facts.row,
      last_seq: Math.max(last_seq, row.last_seq),
      acked_seq: Math.min(acked_seq, row.acked_seq),
      ended: ended ?? row.ended,
    };
  }

  #takeNote(note: StoredNote): void {
    this.#notes.set(`${note.id} ${note.kind} ${note.run_id.toString('hex')} ${note.first_seq} ${note.last_seq}`, note);
    const facts = this.run(note.run_id);
    facts.heardOf = Math.max(facts.heardOf, note.last_seq);
    if (note.kind === 'lost') facts.noted.add(note.first_seq, note.last_seq);
    else facts.endNoted = true;
  }
}

/** The hostname that a payload, or the agent's state, names. */
export function hostnameIn(json: string): string | undefined {
  const hostname = parsedObject(json)?.hostname;
  return typeof hostname === 'string' && hostname !== '' ? hostname : undefined;
}

function isStateValue(key: string, value: string): boolean {
  if (key === 'spool_id') return isUuid(value);
  if (key !== 'agent' && key !== 'shipping') return true;
  return parsedObject(value) !== undefined;
}

function parsedObject(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
