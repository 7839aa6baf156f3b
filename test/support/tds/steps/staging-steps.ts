/** The temporary tables of a connection. */
import { TEMPORARY_TABLES } from '../schema.ts';
import { SqlError } from '../sql-error.ts';
import type { Step } from './steps.ts';

export const STAGING_STEPS: Readonly<Record<string, Step>> = {
  'stage-tables': {
    writes: false,
    run: ({ connection }) => {
      connection.createTemporaryTables();
      return undefined;
    },
  },
  'empty-tables': {
    writes: false,
    run: ({ connection }) => {
      for (const name of Object.keys(TEMPORARY_TABLES)) {
        if (!connection.hasTemporaryTable(name))
          throw new SqlError(
            4701,
            `Cannot find the object "${name}" because it does not exist or you do not have permissions.`,
          );
        connection.handle.exec(`DELETE FROM temp."${name}"`);
      }
      return undefined;
    },
  },
  /** For the tests of the double itself. */
  'peek-holes': {
    writes: false,
    run: ({ connection }) => {
      const columns = TEMPORARY_TABLES['#holes'] ?? [];
      return { set: connection.select(columns, 'SELECT * FROM temp."#holes" ORDER BY rowid') };
    },
  },

  'want-unexplained': {
    writes: false,
    run: ({ connection }) => {
      const insert = 'INSERT INTO temp."#wanted" (run_id) SELECT run_id FROM main.runs WHERE missing > 0';
      return { count: connection.handle.prepare(insert).run().changes };
    },
  },
};
