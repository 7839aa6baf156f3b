/**
 * The storm's own test: builds of hostspool with one protection taken out. Each must be caught by the audit of a storm,
 * or the audit is worth nothing. They are named by `--sabotage`, like the alterations of sabotage.ts.
 */
import type { Edit } from './variants.ts';

export interface SabotagedBuild {
  readonly edits: readonly Edit[];
  /** Where the protection is in the database's own statements: the double does not execute SQL, SQLite does. */
  readonly database?: 'sqlite';
}

export const SABOTAGED_BUILDS = {
  /**
   * A load is written whatever another writer has done meanwhile. The two checks of the load are taken out, since each
   * alone still stops most of what the other would.
   */
  'no-fence': {
    edits: [
      {
        file: 'src/sink/sqlserver/load-batch.ts',
        from: "  { name: 'check-fence', sql: `IF @moved <> @fences SET @outcome = N'fenced';` },\n",
        to: '',
      },
      {
        file: 'src/sink/sqlserver/load-batch.ts',
        from: "  unlessRefused('check-runs', `IF @written <> @runs SET @outcome = N'stale';`),\n",
        to: '',
      },
    ],
  },
  /** A sample that was sent again becomes a row again. */
  'no-dedup': {
    database: 'sqlite',
    edits: [
      {
        file: 'sql/sqlite/0001-server-metrics.sql',
        from: '  CONSTRAINT uq_server_metrics_event UNIQUE (event_id),\n',
        to: '',
      },
      {
        file: 'src/sink/sqlite/metrics-table.ts',
        from: `
       ON CONFLICT (event_id) DO NOTHING`,
        to: '',
      },
    ],
  },
  /** Samples leave the spool when they are sent, not when they are acknowledged. */
  'delete-before-ack': {
    edits: [
      {
        file: 'src/agent/shipper.ts',
        from: '      await producer.send(topic, compose(batch, notes), signal);',
        to: `      const messages = compose(batch, notes);
      spool.acknowledge((batch.at(-1) as SpooledSample).id, notes.map(({ id }) => id));
      await producer.send(topic, messages, signal);`,
      },
    ],
  },
  /** What an agent knows of its losses and of the end of its runs does not ride on its samples. */
  'notes-dropped': {
    edits: [{ file: 'src/agent/messages.ts', from: 'index === 0', to: 'index < 0' }],
  },
  /** The last number taken is not written before the sample is. */
  'no-tail-file': {
    edits: [
      { file: 'src/spool/guarded-tail.ts', from: 'this.#attempt(() => this.#tail?.write(seq));', to: 'void seq;' },
    ],
  },
} satisfies Record<string, SabotagedBuild>;

export type SabotagedBuildName = keyof typeof SABOTAGED_BUILDS;
