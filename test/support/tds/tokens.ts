/** The tokens of an answer. */
import { ByteWriter } from './bytes.ts';
import type { LoginRequest } from './login.ts';
import type { SqlError } from './sql-error.ts';
import { COLLATION, type Type, type Value, writeType, writeValue } from './types.ts';

const TOKEN = {
  returnStatus: 0x79,
  columns: 0x81,
  error: 0xaa,
  info: 0xab,
  loginAck: 0xad,
  features: 0xae,
  row: 0xd1,
  change: 0xe3,
  done: 0xfd,
  doneProc: 0xfe,
  doneInProc: 0xff,
} as const;
const DONE = { more: 0x01, error: 0x02, count: 0x10, attention: 0x20 } as const;
const CHANGE = { database: 1, packetSize: 4, collation: 7, reset: 18 } as const;
const UTF8_FEATURE = 0x0a;
const SERVER = 'double';

export interface Column {
  readonly name: string;
  readonly type: Type;
  readonly nullable: boolean;
}

/** A set of rows that a statement answers with. */
export interface ResultSet {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Value[])[];
}

export function resultSet({ columns, rows }: ResultSet): Buffer {
  const writer = new ByteWriter().uint8(TOKEN.columns).uint16(columns.length);
  for (const { name, type, nullable } of columns) {
    writer.int32(0).uint16(nullable ? 0x09 : 0x08);
    writeType(writer, type);
    writer.shortText(name);
  }
  for (const row of rows) {
    writer.uint8(TOKEN.row);
    for (const [index, column] of columns.entries()) writeValue(writer, column.type, row[index] ?? null);
  }
  return writer.bytes;
}

export interface DoneOptions {
  readonly kind?: 'done' | 'doneProc' | 'doneInProc';
  readonly more?: boolean;
  readonly error?: boolean;
  readonly attention?: boolean;
  readonly count?: number;
}

export function done({
  kind = 'done',
  more = false,
  error = false,
  attention = false,
  count,
}: DoneOptions = {}): Buffer {
  const status =
    (more ? DONE.more : 0) |
    (error ? DONE.error : 0) |
    (attention ? DONE.attention : 0) |
    (count === undefined ? 0 : DONE.count);
  return new ByteWriter()
    .uint8(TOKEN[kind])
    .uint16(status)
    .uint16(0)
    .int64(BigInt(count ?? 0)).bytes;
}

export function returnStatus(status: number): Buffer {
  return new ByteWriter().uint8(TOKEN.returnStatus).int32(status).bytes;
}

export function errorToken(error: SqlError): Buffer {
  return messageToken(TOKEN.error, error.number, error.severity, error.message);
}

export function infoToken(number: number, message: string): Buffer {
  return messageToken(TOKEN.info, number, 0, message);
}

function messageToken(token: number, number: number, severity: number, message: string): Buffer {
  const body = new ByteWriter().int32(number).put([1, severity]).text(message).shortText(SERVER).shortText('').int32(1);
  return sized(token, body.bytes);
}

export function loginAccepted(login: LoginRequest): Buffer {
  const version = Buffer.alloc(4);
  version.writeUInt32BE(login.tdsVersion);
  const acknowledgement = new ByteWriter()
    .uint8(1)
    .put(version)
    .shortText('Microsoft SQL Server')
    .put([15, 0, 0x07, 0xd0]);
  const size = String(login.packetSize);
  return new ByteWriter()
    .put(databaseChanged(login.database))
    .put(infoToken(5701, `Changed database context to '${login.database}'.`))
    .put(change(CHANGE.collation, new ByteWriter().uint8(COLLATION.length).put(COLLATION).uint8(0).bytes))
    .put(sized(TOKEN.loginAck, acknowledgement.bytes))
    .put(new ByteWriter().put([TOKEN.features, UTF8_FEATURE]).int32(1).put([1, 0xff]).bytes)
    .put(change(CHANGE.packetSize, new ByteWriter().shortText(size).shortText(size).bytes))
    .put(done()).bytes;
}

export function databaseChanged(name: string): Buffer {
  return change(CHANGE.database, new ByteWriter().shortText(name).shortText('master').bytes);
}

export function connectionReset(): Buffer {
  return change(CHANGE.reset, Buffer.from([0, 0]));
}

function change(type: number, values: Buffer): Buffer {
  return sized(TOKEN.change, Buffer.concat([Buffer.from([type]), values]));
}

function sized(token: number, body: Buffer): Buffer {
  return new ByteWriter().uint8(token).uint16(body.length).put(body).bytes;
}
