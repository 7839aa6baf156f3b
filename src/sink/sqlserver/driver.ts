/**
 * The driver, loaded when it is first needed: mssql and tedious take a third of a second and some megabytes that an
 * agent has no use for.
 */
import type Mssql from 'mssql';
import type * as Tedious from 'tedious';

export interface Driver {
  readonly mssql: typeof Mssql;
  readonly tedious: typeof Tedious;
}

export async function loadDriver(): Promise<Driver> {
  const [{ default: mssql }, tedious] = await Promise.all([import('mssql'), import('tedious')]);
  return { mssql, tedious };
}
