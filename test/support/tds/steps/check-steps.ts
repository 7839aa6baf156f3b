/** What `hostspool check` asks. */
import type { Column } from '../tokens.ts';
import type { Value } from '../types.ts';
import type { Step } from './steps.ts';

const RIGHT = /HAS_PERMS_BY_NAME\((?:N'dbo\.(\w+)'|[^,]*), [^)]*\) AS \[([^\]]+)\]/g;

const int = (name: string): Column => ({ name, type: { name: 'int' }, nullable: true });
const text = (name: string, length: number): Column => ({ name, type: { name: 'nvarchar', length }, nullable: true });

/** One row: 1 or 0 for each right that is asked for, null where its table is missing. */
const rights: Step = {
  writes: false,
  run: ({ connection, sql }) => {
    const { rights, store } = connection.server;
    const found = connection.handle.prepare("SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?");
    const asked = [...sql.matchAll(RIGHT)];
    const row = asked.map(([, table, name = '']): Value => {
      if (name === 'CREATE TABLE' || name === 'INSERT on dbo') return Number(rights.createTables);
      if (name === 'CREATE ANY DATABASE') return Number(rights.createDatabases);
      if (table === undefined || found.get(table) === undefined) return null;
      return Number(!(rights.denied ?? []).includes(name));
    });
    if (!store.has(connection.database)) throw new Error('the database is gone');
    return { set: { columns: asked.map(([, , name = '']) => int(name)), rows: [row] } };
  },
};

export const CHECK_STEPS: Readonly<Record<string, Step>> = {
  'check-rights': rights,
  'check-server-rights': rights,

  'check-database': {
    writes: false,
    run: ({ connection: { server } }) => {
      const columns: Column[] = [
        text('updateability', 60),
        { name: 'snapshot', type: { name: 'bit' }, nullable: true },
        { name: 'utc_now', type: { name: 'datetime2', scale: 3 }, nullable: false },
      ];
      const now = new Date(Date.now() + server.clockAhead).toISOString().replace('T', ' ').slice(0, 23);
      return { set: { columns, rows: [[server.readOnly ? 'READ_ONLY' : 'READ_WRITE', true, now]] } };
    },
  },

  'check-encryption': {
    writes: false,
    run: ({ connection }) => {
      const word = connection.isEncrypted ? 'TRUE' : 'FALSE';
      return { set: { columns: [text('encrypt_option', 40)], rows: [[word]] } };
    },
  },
};
