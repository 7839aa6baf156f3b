/** The types of T-SQL that this product uses, as the driver knows them: for the columns of bulk loads and parameters. */
import type { StagingColumn } from './staging-tables.ts';

type TypeName = 'Int' | 'BigInt' | 'Bit' | 'Decimal' | 'DateTime2' | 'NVarChar' | 'Binary';

export interface ColumnType {
  readonly type: TypeName;
  readonly length?: number;
  readonly precision?: number;
  readonly scale?: number;
}

/** Of NVARCHAR(MAX), to the driver. */
const MAX_LENGTH = Number.POSITIVE_INFINITY;

const TYPE = /^(?<name>[A-Z0-9]+)(\((?<size>\d+|MAX)(,(?<scale>\d+))?\))?$/;

/** Throws RangeError for a type that is not used here. */
export function columnType(text: StagingColumn['type']): ColumnType {
  const { name, size, scale } = TYPE.exec(text)?.groups ?? {};
  switch (name) {
    case 'INT':
      return { type: 'Int' };
    case 'BIGINT':
      return { type: 'BigInt' };
    case 'BIT':
      return { type: 'Bit' };
    case 'DECIMAL':
      return { type: 'Decimal', precision: Number(size), scale: Number(scale) };
    case 'DATETIME2':
      return { type: 'DateTime2', scale: Number(size) };
    case 'NVARCHAR':
      return { type: 'NVarChar', length: size === 'MAX' ? MAX_LENGTH : Number(size) };
    case 'BINARY':
      return { type: 'Binary', length: Number(size) };
    default:
      throw new RangeError(`no column has the type ${text}`);
  }
}
