/**
 * What a logged-in connection does: runs the steps of a statement in the order in which they stand, inside or outside a
 * transaction, and keeps temporary tables.
 *
 * An error, a cancellation or the loss of the client rolls an open transaction back where XACT_ABORT is on, which the
 * step `begin` and its like turn on; where it is not, the transaction stays open, as it does in SQL Server, until the
 * connection goes.
 */
import type { SqlRequest } from './requests.ts';
import { createTemporaryTable, TEMPORARY_TABLES } from './schema.ts';
import type { TdsServer } from './server.ts';
import { SqlError } from './sql-error.ts';
import { sqlErrorOf } from './sqlite-errors.ts';
import { STEPS, type StepAnswer } from './steps/steps.ts';
import type { Handle } from './store.ts';
import type { Column, ResultSet } from './tokens.ts';
import type { Value } from './types.ts';

export interface Result extends StepAnswer {
  readonly step: string;
}

/** What is declared in one batch and gone at its end. */
export interface Batch {
  readonly connection: Connection;
  readonly parameters: ReadonlyMap<string, Value>;
  readonly sql: string;
  variables: Record<string, string | number> | undefined;
}

export class Connection {
  readonly server: TdsServer;
  readonly handle: Handle;
  readonly database: string;
  /** The version that a migration in progress claimed. */
  claimed: number | undefined;
  xactAbort = false;
  lockTimeout = -1;
  readonly #number: number;

  constructor(server: TdsServer, database: string, number: number) {
    this.server = server;
    this.database = database;
    this.handle = server.store.open(database);
    this.#number = number;
  }

  /** Whether what the client sent came through TLS. */
  get isEncrypted(): boolean {
    return this.server.records[this.#number - 1]?.encrypted ?? false;
  }

  async *run(request: SqlRequest, signal: AbortSignal): AsyncGenerator<Result> {
    const names = stepNames(request.sql);
    if (names.length === 0) {
      yield* this.#withoutSteps(request.sql, signal);
      return;
    }
    const batch: Batch = { connection: this, ...request, variables: undefined };
    const { xactAbort, lockTimeout } = this;
    const open = this.handle.inTransaction;
    try {
      for (const name of names) yield* this.#step(name, batch, signal);
      if (request.procedure && this.handle.inTransaction !== open) throw new SqlError(266);
    } catch (error) {
      if (this.xactAbort) this.rollBack();
      throw sqlErrorOf(error);
    } finally {
      // What a procedure sets holds until it returns.
      if (request.procedure) Object.assign(this, { xactAbort, lockTimeout });
    }
  }

  async *#step(name: string, batch: Batch, signal: AbortSignal): AsyncGenerator<Result> {
    const { faults, journal, lock } = this.server;
    const step = STEPS[name];
    if (step === undefined) {
      this.server.surprises.push(new Error(`unknown step ${name}`));
      throw new SqlError(50_000, `the double does not know the step ${name}`);
    }
    await faults.pass(name, 'before', signal);
    const alone = step.writes && !this.handle.inTransaction;
    if (alone) await lock.acquire(this, this.lockTimeout, signal);
    let answer: StepAnswer | undefined;
    try {
      answer = await step.run(batch, signal);
      journal.push({ connection: this.#number, step: name });
    } finally {
      if (!this.handle.inTransaction) lock.release(this);
    }
    await faults.pass(name, 'after', signal);
    if (answer !== undefined) yield { step: name, ...answer };
  }

  /** What the driver and the pool send by themselves. */
  async *#withoutSteps(sql: string, signal: AbortSignal): AsyncGenerator<Result> {
    if (/^set \w/.test(sql)) {
      await this.server.faults.pass('settings', 'before', signal);
      return;
    }
    if (/^SELECT 1;?$/i.test(sql.trim())) {
      const column: Column = { name: '', type: { name: 'int' }, nullable: false };
      yield { step: 'ping', set: { columns: [column], rows: [[1]] } };
      return;
    }
    this.server.surprises.push(new Error(`a statement without steps: ${sql.slice(0, 200)}`));
    throw new SqlError(50_000, 'the double answers only statements that name their steps');
  }

  hasTemporaryTable(name: string): boolean {
    return (
      this.handle.prepare("SELECT 1 FROM temp.sqlite_master WHERE type = 'table' AND name = ?").get(name) !== undefined
    );
  }

  createTemporaryTables(): void {
    for (const name of Object.keys(TEMPORARY_TABLES)) {
      if (this.hasTemporaryTable(name))
        throw new SqlError(2714, `There is already an object named '${name}' in the database.`);
      this.handle.exec(createTemporaryTable(name));
    }
  }

  stage(table: string, columns: readonly Column[], rows: readonly (readonly Value[])[]): void {
    const names = columns.map(({ name }) => `"${name}"`).join(', ');
    const insert = this.handle.prepare(
      `INSERT INTO temp."${table}" (${names}) VALUES (${columns.map(() => '?').join(', ')})`,
    );
    try {
      this.handle.transaction(() => {
        for (const row of rows) insert.run(row.map(toSqlite));
      })();
    } catch (error) {
      throw sqlErrorOf(error);
    }
  }

  /** The rows of a query of the store's own SQL, as a result with these columns, in their order. */
  select(columns: readonly Column[], sql: string, parameters: Readonly<Record<string, Value>> = {}): ResultSet {
    const bound = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, toSqlite(value)]));
    const rows = this.handle.prepare(sql).all(bound) as Record<string, unknown>[];
    return { columns, rows: rows.map((row) => columns.map((column) => fromSqlite(column, row[column.name]))) };
  }

  async begin(signal: AbortSignal): Promise<void> {
    await this.server.lock.acquire(this, this.lockTimeout, signal);
    this.handle.exec('BEGIN IMMEDIATE');
  }

  rollBack(): void {
    if (this.handle.inTransaction) this.handle.exec('ROLLBACK');
    this.claimed = undefined;
    this.server.lock.release(this);
  }

  /** As a pool wants it back: no transaction, no temporary tables, default settings. */
  reset(): void {
    this.rollBack();
    for (const name of Object.keys(TEMPORARY_TABLES)) this.handle.exec(`DROP TABLE IF EXISTS temp."${name}"`);
    this.xactAbort = false;
    this.lockTimeout = -1;
  }

  close(): void {
    this.rollBack();
    this.handle.close();
  }
}

export function stepNames(sql: string): string[] {
  return [...sql.matchAll(/\/\* step: ([\w-]+) \*\//g)].map(([, name = '']) => name);
}

export function toSqlite(value: Value): null | number | bigint | string | Buffer {
  return typeof value === 'boolean' ? (value ? 1 : 0) : value;
}

function fromSqlite({ type }: Column, value: unknown): Value {
  if (value === null || value === undefined) return null;
  if (type.name === 'int') return Number(value);
  if (type.name === 'bit') return Number(value) !== 0;
  return value as Value;
}
