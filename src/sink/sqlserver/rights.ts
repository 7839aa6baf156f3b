/** The rights that a writer's login needs, as sql/roles.sql grants them (a test holds the two together). */
export interface TableRight {
  readonly table: string;
  readonly right: 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';
}

const LOADING: Readonly<Record<string, readonly TableRight['right'][]>> = {
  server_metrics: ['SELECT', 'INSERT'],
  runs: ['SELECT', 'INSERT', 'UPDATE'],
  seq_gaps: ['SELECT', 'INSERT', 'DELETE'],
  hosts: ['SELECT', 'INSERT', 'UPDATE'],
  consumer_offsets: ['SELECT', 'INSERT', 'UPDATE'],
  offset_holes: ['SELECT', 'INSERT'],
  schema_migrations: ['SELECT'],
};

export const LOADING_RIGHTS: readonly TableRight[] = Object.entries(LOADING).flatMap(([table, rights]) =>
  rights.map((right) => ({ table, right })),
);

/** For writer.retention. */
export const RETENTION_RIGHTS: readonly TableRight[] = [{ table: 'server_metrics', right: 'DELETE' }];

export function nameOfRight({ table, right }: TableRight): string {
  return `${right} on ${table}`;
}

/** A column per right, by its name: 1, 0, or NULL where there is no such table; and whether tables may be made, and written to. */
export function rightsText(): string {
  const columns = [...LOADING_RIGHTS, ...RETENTION_RIGHTS].map(
    (each) => `HAS_PERMS_BY_NAME(N'dbo.${each.table}', N'OBJECT', N'${each.right}') AS [${nameOfRight(each)}]`,
  );
  // Whoever makes a table in dbo does not own it: a migration writes its row into one, too.
  columns.push(`CASE WHEN HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), N'DATABASE', N'CREATE TABLE') = 1
    AND HAS_PERMS_BY_NAME(N'dbo', N'SCHEMA', N'INSERT') = 1 THEN 1 ELSE 0 END AS [CREATE TABLE]`);
  return `SELECT ${columns.join(',\n  ')};`;
}
