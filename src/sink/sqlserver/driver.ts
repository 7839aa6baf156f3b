/**
 * The driver, loaded when it is first needed: mssql and tedious take a third of a second and some twenty megabytes that
 * an agent has no use for. Inside the executable they are an asset of the file, as one script that is read only then.
 */
import { createRequire } from 'node:module';
import { getAsset, isSea } from 'node:sea';
import { compileFunction } from 'node:vm';
import type Mssql from 'mssql';
import type * as Tedious from 'tedious';

export interface Driver {
  readonly mssql: typeof Mssql;
  readonly tedious: typeof Tedious;
}

/** The asset's name inside the executable; scripts/build.ts puts it there. */
export const DRIVER_ASSET = 'sqlserver-driver.cjs';

let embedded: Driver | undefined;

export async function loadDriver(): Promise<Driver> {
  if (isSea()) {
    embedded ??= loadEmbedded();
    return embedded;
  }
  const [{ default: mssql }, tedious] = await Promise.all([import('mssql'), import('tedious')]);
  return { mssql, tedious };
}

function loadEmbedded(): Driver {
  const parameters = ['module', 'exports', 'require', '__filename', '__dirname'];
  const run = compileFunction(getAsset(DRIVER_ASSET, 'utf8'), parameters, { filename: DRIVER_ASSET });
  const module = { exports: {} };
  // Nothing but Node's own modules is left to require.
  run(module, module.exports, createRequire(process.execPath), process.execPath, '/');
  return module.exports as Driver;
}
