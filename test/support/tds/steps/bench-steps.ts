/** What the benchmark sends beside the sink's own steps: a row by itself, as most programs insert. */
import type { Step } from './steps.ts';

export const BENCH_STEPS: Readonly<Record<string, Step>> = {
  'insert-row': {
    writes: true,
    run: ({ connection, parameters }) => {
      const names = [...parameters.keys()];
      const columns = names.map((name) => `"${name}"`).join(', ');
      const sql = `INSERT INTO server_metrics (${columns}) VALUES (${names.map(() => '?').join(', ')})`;
      return { count: connection.handle.prepare(sql).run(...parameters.values()).changes };
    },
  },
};
