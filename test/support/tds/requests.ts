/** What a client asks for: a batch of SQL, or a call of sp_executesql with typed parameters. */
import { ByteReader } from './bytes.ts';
import { readType, readValue, type Value } from './types.ts';

const SP_EXECUTESQL = 10;
const BY_NUMBER = 0xffff;

export interface SqlRequest {
  readonly sql: string;
  /** Without their @. */
  readonly parameters: ReadonlyMap<string, Value>;
  /** Called by sp_executesql, not sent as a batch. */
  readonly procedure: boolean;
}

export function readBatch(data: Buffer): SqlRequest {
  return { sql: data.subarray(headersLength(data)).toString('utf16le'), parameters: new Map(), procedure: false };
}

export function readCall(data: Buffer): SqlRequest {
  const reader = new ByteReader(data, headersLength(data));
  const name = reader.uint16();
  const procedure = name === BY_NUMBER ? reader.uint16() : reader.take(name * 2).toString('utf16le');
  reader.uint16();
  const parameters = new Map<string, Value>();
  while (reader.left > 0) {
    const parameter = reader.shortText().replace(/^@/, '');
    reader.uint8();
    parameters.set(parameter, readValue(reader, readType(reader)));
  }
  if (procedure !== SP_EXECUTESQL && procedure !== 'sp_executesql') {
    throw new Error(`the double does not know the procedure ${procedure}`);
  }
  const sql = String(parameters.get('statement') ?? '');
  parameters.delete('statement');
  parameters.delete('params');
  return { sql, parameters, procedure: true };
}

/** ALL_HEADERS, which a request begins with. */
function headersLength(data: Buffer): number {
  return data.readUInt32LE(0);
}
