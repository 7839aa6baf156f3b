/**
 * The stream of a bulk load: the columns, then rows, then the end. Rows come out as soon as their bytes are there, so
 * that a fault can strike between two of them.
 */
import { ByteReader, OutOfBytes } from './bytes.ts';
import type { Column } from './tokens.ts';
import { readType, readValue, type Value } from './types.ts';

const TOKEN = { columns: 0x81, row: 0xd1, rowWithNulls: 0xd2, done: 0xfd } as const;
const NULLABLE = 0x01;

export class BulkDecoder {
  #columns: readonly Column[] | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #ended = false;

  get columns(): readonly Column[] | undefined {
    return this.#columns;
  }

  get ended(): boolean {
    return this.#ended;
  }

  push(chunk: Buffer): Value[][] {
    const reader = new ByteReader(this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]));
    const rows: Value[][] = [];
    let complete = 0;
    try {
      while (reader.left > 0) {
        this.#token(reader, rows);
        complete = reader.position;
      }
    } catch (error) {
      if (!(error instanceof OutOfBytes)) throw error;
    }
    this.#rest = reader.bytes.subarray(complete);
    return rows;
  }

  #token(reader: ByteReader, rows: Value[][]): void {
    const token = reader.uint8();
    if (token === TOKEN.columns) {
      this.#columns = readColumns(reader);
    } else if (token === TOKEN.row || token === TOKEN.rowWithNulls) {
      if (this.#columns === undefined) throw new Error('a row before the columns');
      rows.push(readRow(reader, this.#columns, token === TOKEN.rowWithNulls));
    } else if (token === TOKEN.done) {
      reader.take(12);
      this.#ended = true;
    } else {
      throw new Error(`a bulk load with the token 0x${token.toString(16)}`);
    }
  }
}

function readColumns(reader: ByteReader): Column[] {
  const columns: Column[] = [];
  for (let count = reader.uint16(); count > 0; count--) {
    reader.uint32();
    const nullable = (reader.uint16() & NULLABLE) !== 0;
    const type = readType(reader);
    columns.push({ name: reader.shortText(), type, nullable });
  }
  return columns;
}

function readRow(reader: ByteReader, columns: readonly Column[], withNulls: boolean): Value[] {
  const nulls = withNulls ? reader.take(Math.ceil(columns.length / 8)) : undefined;
  return columns.map((column, index) => {
    const isNull = nulls !== undefined && ((nulls[index >> 3] as number) & (1 << (index & 7))) !== 0;
    return isNull ? null : readValue(reader, column.type);
  });
}
