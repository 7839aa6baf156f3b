/**
 * The databases of the double: a SQLite file each, and a handle for each connection, so that temporary tables and open
 * transactions belong to the connection and go with it. A file outlives kill -9 with what was committed.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { createTable, TABLES, type TableName } from './schema.ts';
import { SqlError } from './sql-error.ts';

export type Handle = Database.Database;

export class Store {
  readonly #directory: string;
  readonly #temporary: boolean;
  readonly #readers = new Map<string, Handle>();

  constructor(directory: string | undefined, databases: readonly string[]) {
    this.#temporary = directory === undefined;
    this.#directory = directory ?? mkdtempSync(join(tmpdir(), 'tds-double-'));
    mkdirSync(this.#directory, { recursive: true });
    for (const name of ['master', ...databases]) if (!this.has(name)) this.create(name);
  }

  has(name: string): boolean {
    return existsSync(this.#path(name));
  }

  names(): string[] {
    return readdirSync(this.#directory)
      .filter((file) => file.endsWith('.db'))
      .map((file) => decodeURIComponent(file.slice(0, -3)));
  }

  create(name: string): void {
    if (this.has(name))
      throw new SqlError(1801, `Database '${name}' already exists. Choose a different database name.`);
    const handle = this.#open(name);
    handle.pragma('journal_mode = WAL');
    handle.close();
  }

  /** All tables, as after every migration, for tests that are not about migrations. */
  makeTables(name: string): void {
    const handle = this.#open(name);
    for (const table of Object.keys(TABLES)) handle.exec(createTable(table as TableName));
    handle.close();
  }

  open(name: string): Handle {
    const handle = this.#open(name);
    handle.pragma('temp_store = MEMORY');
    handle.pragma('foreign_keys = ON');
    handle.defaultSafeIntegers(true);
    return handle;
  }

  /** For a test that looks: sees only what is committed. */
  reader(name = 'monitoring'): Handle {
    let handle = this.#readers.get(name);
    if (handle === undefined) {
      handle = new Database(this.#path(name), { readonly: true });
      this.#readers.set(name, handle);
    }
    return handle;
  }

  close(): void {
    for (const handle of this.#readers.values()) handle.close();
    this.#readers.clear();
    if (this.#temporary) rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Without waiting for the disk: it has to outlive a killed process, not a power cut. */
  #open(name: string): Handle {
    const handle = new Database(this.#path(name), { timeout: 5000 });
    handle.pragma('synchronous = OFF');
    return handle;
  }

  #path(name: string): string {
    return join(this.#directory, `${encodeURIComponent(name.toLowerCase())}.db`);
  }
}
