/**
 * The data types of TDS that a client of a loader uses: their descriptions (TYPE_INFO) and their values, both ways.
 *
 * Here a value is: INT and smaller a number, BIGINT a bigint, BIT a boolean, DECIMAL a text with all its decimals,
 * DATETIME2 a text `2026-05-01 12:00:00.123` with as many decimals as its scale, characters a string, binary a Buffer.
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { SqlError } from './sql-error.ts';
import { fromDateTime2, readDateTime2 } from './times.ts';

export type Value = null | number | bigint | boolean | string | Buffer;

export type TypeName =
  | 'int'
  | 'bigint'
  | 'bit'
  | 'float'
  | 'decimal'
  | 'datetime2'
  | 'nvarchar'
  | 'varchar'
  | 'binary'
  | 'varbinary';

export interface Type {
  readonly name: TypeName;
  /** Bytes of int and float; characters of nvarchar and varchar; bytes of binary. Infinity: (max). */
  readonly length?: number;
  readonly precision?: number;
  readonly scale?: number;
}

const ID = {
  tinyint: 0x30,
  bit: 0x32,
  smallint: 0x34,
  int: 0x38,
  bigint: 0x7f,
  intN: 0x26,
  bitN: 0x68,
  floatN: 0x6d,
  decimalN: 0x6a,
  numericN: 0x6c,
  datetime2: 0x2a,
  varbinary: 0xa5,
  varchar: 0xa7,
  binary: 0xad,
  nvarchar: 0xe7,
} as const;
const MAX = 0xffff;
const NULL_LENGTH = 0xffff;
const NULL_PLP = 0xffffffffffffffffn;
const UNKNOWN_PLP = 0xfffffffffffffffen;
/** SQL_Latin1_General_CP1_CI_AS. */
export const COLLATION: Buffer = Buffer.from([0x09, 0x04, 0xd0, 0x00, 0x34]);

export function readType(reader: ByteReader): Type {
  const id = reader.uint8();
  switch (id) {
    case ID.intN: {
      const length = reader.uint8();
      return length === 8 ? { name: 'bigint' } : { name: 'int', length };
    }
    case ID.bitN:
      reader.uint8();
      return { name: 'bit' };
    case ID.floatN:
      return { name: 'float', length: reader.uint8() };
    case ID.decimalN:
    case ID.numericN: {
      reader.uint8();
      return { name: 'decimal', precision: reader.uint8(), scale: reader.uint8() };
    }
    case ID.datetime2:
      return { name: 'datetime2', scale: reader.uint8() };
    case ID.nvarchar:
    case ID.varchar: {
      const length = reader.uint16();
      reader.take(COLLATION.length);
      if (length === MAX)
        return { name: id === ID.nvarchar ? 'nvarchar' : 'varchar', length: Number.POSITIVE_INFINITY };
      return id === ID.nvarchar ? { name: 'nvarchar', length: length / 2 } : { name: 'varchar', length };
    }
    case ID.binary:
      return { name: 'binary', length: reader.uint16() };
    case ID.varbinary: {
      const length = reader.uint16();
      return { name: 'varbinary', length: length === MAX ? Number.POSITIVE_INFINITY : length };
    }
    default:
      throw new Error(`the double does not know the data type 0x${id.toString(16)}`);
  }
}

export function readValue(reader: ByteReader, type: Type): Value {
  switch (type.name) {
    case 'int':
    case 'bigint': {
      const length = reader.uint8();
      if (length === 0) return null;
      const value = BigInt.asIntN(8 * length, reader.magnitude(length));
      return length === 8 ? value : Number(length === 1 ? BigInt.asUintN(8, value) : value);
    }
    case 'bit':
      return reader.uint8() === 0 ? null : reader.uint8() !== 0;
    case 'float': {
      const length = reader.uint8();
      if (length === 0) return null;
      const bytes = reader.take(length);
      return length === 4 ? bytes.readFloatLE() : bytes.readDoubleLE();
    }
    case 'decimal': {
      const length = reader.uint8();
      if (length === 0) return null;
      const sign = reader.uint8() === 1 ? '' : '-';
      const magnitude = reader.magnitude(length - 1);
      if (magnitude >= 10n ** BigInt(type.precision ?? 0)) throw new SqlError(8115);
      return decimalText(magnitude, type.scale ?? 0, sign);
    }
    case 'datetime2':
      return readDateTime2(reader, type.scale ?? 7);
    case 'nvarchar':
      return bytesOf(reader, type, 2)?.toString('utf16le') ?? null;
    case 'varchar':
      return bytesOf(reader, type, 1)?.toString('latin1') ?? null;
    case 'binary': {
      const bytes = bytesOf(reader, type, 1);
      return bytes === null ? null : Buffer.concat([bytes, Buffer.alloc((type.length ?? 0) - bytes.length)]);
    }
    case 'varbinary':
      return bytesOf(reader, type, 1);
  }
}

/** Characters or bytes behind their length, or in pieces where the type is (max). */
function bytesOf(reader: ByteReader, { length = 0 }: Type, width: 1 | 2): Buffer | null {
  if (length !== Number.POSITIVE_INFINITY) {
    const size = reader.uint16();
    if (size === NULL_LENGTH) return null;
    if (size > length * width) throw new SqlError(4815);
    return Buffer.from(reader.take(size));
  }
  const total = reader.uint64();
  if (total === NULL_PLP) return null;
  const pieces: Buffer[] = [];
  for (let size = reader.uint32(); size > 0; size = reader.uint32()) pieces.push(Buffer.from(reader.take(size)));
  const bytes = Buffer.concat(pieces);
  if (total !== UNKNOWN_PLP && total !== BigInt(bytes.length)) throw new SqlError(4815);
  return bytes;
}

export function writeType(writer: ByteWriter, type: Type): void {
  switch (type.name) {
    case 'int':
      return void writer.put([ID.intN, type.length ?? 4]);
    case 'bigint':
      return void writer.put([ID.intN, 8]);
    case 'bit':
      return void writer.put([ID.bitN, 1]);
    case 'float':
      return void writer.put([ID.floatN, 8]);
    case 'decimal':
      return void writer.put([ID.decimalN, decimalBytes(type) + 1, type.precision ?? 18, type.scale ?? 0]);
    case 'datetime2':
      return void writer.put([ID.datetime2, type.scale ?? 7]);
    case 'nvarchar':
      return void writer.uint8(ID.nvarchar).uint16(declared(type, 2)).put(COLLATION);
    case 'varchar':
      return void writer.uint8(ID.varchar).uint16(declared(type, 1)).put(COLLATION);
    case 'binary':
    case 'varbinary':
      return void writer.uint8(ID[type.name]).uint16(declared(type, 1));
  }
}

export function writeValue(writer: ByteWriter, type: Type, value: Value): void {
  const wide = type.length === Number.POSITIVE_INFINITY;
  if (value === null) {
    if (wide) writer.int64(-1n);
    else if (['nvarchar', 'varchar', 'binary', 'varbinary'].includes(type.name)) writer.uint16(NULL_LENGTH);
    else writer.uint8(0);
    return;
  }
  switch (type.name) {
    case 'int':
      return void writer
        .uint8(type.length ?? 4)
        .magnitude(BigInt.asUintN(8 * (type.length ?? 4), BigInt(value as number)), type.length ?? 4);
    case 'bigint':
      return void writer.uint8(8).int64(BigInt(value as bigint | number));
    case 'bit':
      return void writer.put([1, value ? 1 : 0]);
    case 'float': {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(Number(value));
      return void writer.uint8(8).put(bytes);
    }
    case 'decimal': {
      const size = decimalBytes(type);
      const [magnitude, negative] = decimalMagnitude(String(value), type.scale ?? 0);
      return void writer.put([size + 1, negative ? 0 : 1]).magnitude(magnitude, size);
    }
    case 'datetime2':
      return void writer.put(fromDateTime2(String(value), type.scale ?? 7));
    default: {
      const bytes = Buffer.isBuffer(value)
        ? value
        : Buffer.from(String(value), type.name === 'nvarchar' ? 'utf16le' : 'latin1');
      if (!wide) writer.uint16(bytes.length).put(bytes);
      else {
        writer.int64(BigInt(bytes.length));
        if (bytes.length > 0) writer.int32(bytes.length).put(bytes);
        writer.int32(0);
      }
    }
  }
}

function declared({ length = 0 }: Type, width: number): number {
  return length === Number.POSITIVE_INFINITY ? MAX : length * width;
}

function decimalBytes({ precision = 18 }: Type): number {
  return precision <= 9 ? 4 : precision <= 19 ? 8 : precision <= 28 ? 12 : 16;
}

function decimalText(magnitude: bigint, scale: number, sign: string): string {
  const digits = magnitude.toString().padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return magnitude === 0n ? text : sign + text;
}

function decimalMagnitude(text: string, scale: number): [bigint, boolean] {
  const [whole = '0', decimals = ''] = text.replace('-', '').split('.');
  return [BigInt(whole + decimals.padEnd(scale, '0').slice(0, scale)), text.startsWith('-')];
}
