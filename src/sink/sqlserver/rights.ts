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

/** For a migration. Whoever makes a table in dbo does not own it, and has to write the migration's row into one. */
const MIGRATING: Readonly<Record<string, string>> = {
  'CREATE TABLE': "QUOTENAME(DB_NAME()), N'DATABASE', N'CREATE TABLE'",
  'INSERT on dbo': "N'dbo', N'SCHEMA', N'INSERT'",
};
export const MIGRATING_RIGHTS: readonly string[] = Object.keys(MIGRATING);

/** A column per right, by its name: 1, 0, or NULL where there is no such table. */
export function rightsText(): string {
  const columns = [...LOADING_RIGHTS, ...RETENTION_RIGHTS].map(
    (each) => `HAS_PERMS_BY_NAME(N'dbo.${each.table}', N'OBJECT', N'${each.right}') AS [${nameOfRight(each)}]`,
  );
  for (const [name, asked] of Object.entries(MIGRATING)) columns.push(`HAS_PERMS_BY_NAME(${asked}) AS [${name}]`);
  return `SELECT ${columns.join(',\n  ')};`;
}
