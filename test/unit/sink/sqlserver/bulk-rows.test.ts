import fc from 'fast-check';
import { BulkLoad, TYPES } from 'tedious';
import { BulkLoadPayload } from 'tedious/lib/bulk-load-payload.js';
import { describe, expect, it } from 'vitest';
import { uuidToBytes } from '../../../../src/sample/identity.ts';
import { BulkRows } from '../../../../src/sink/sqlserver/bulk-rows.ts';
import { columnType } from '../../../../src/sink/sqlserver/column-types.ts';
import { STAGING_TABLES, type StagingTable } from '../../../../src/sink/sqlserver/staging-tables.ts';
import { uuid } from '../a-load.ts';

type Lines = readonly (readonly unknown[])[];

function loadInto({ name, columns }: StagingTable): BulkLoad {
  const options = { tdsVersion: '7_4', useUTC: true } as ConstructorParameters<typeof BulkLoad>[2];
  const load = new BulkLoad(name, undefined, options, { checkConstraints: true }, () => undefined);
  for (const { name: column, type, nullable } of columns) {
    const { type: kind, ...size } = columnType(type);
    load.addColumn(column, TYPES[kind], { ...size, nullable });
  }
  return load;
}

async function bytesOf(payload: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of payload) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function theirs(table: StagingTable, lines: Lines): Promise<Buffer> {
  return bytesOf(new BulkLoadPayload(loadInto(table), lines as unknown[][]));
}

async function ours(table: StagingTable, lines: Lines): Promise<Buffer> {
  return bytesOf(new BulkRows(loadInto(table), table, lines));
}

function tableOf(...types: string[]): StagingTable {
  return { name: '#t', columns: types.map((type, index) => ({ name: `c${index}`, type, nullable: true })) };
}

const text = fc.string({ unit: 'binary', maxLength: 300 });
const hundredths = (most: number) => fc.integer({ min: 0, max: most }).map((units) => units / 100);

/** What a column of the type may be given. */
function valuesOf(type: string): fc.Arbitrary<unknown> {
  const { type: kind, length = 0, precision = 0 } = columnType(type);
  switch (kind) {
    case 'Int':
      return fc.integer();
    case 'BigInt':
      return fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
    case 'Bit':
      return fc.boolean();
    case 'Decimal':
      return hundredths(Math.min(10 ** precision, Number.MAX_SAFE_INTEGER) - 1);
    case 'DateTime2':
      return fc.date({
        min: new Date('0001-01-01T00:00:00Z'),
        max: new Date('9999-12-31T23:59:59.999Z'),
        noInvalidDate: true,
      });
    case 'NVarChar':
      return text;
    case 'Binary':
      return fc.uint8Array({ minLength: 1, maxLength: length }).map((bytes) => Buffer.from(bytes));
  }
}

describe('the bytes of a bulk load', () => {
  it.each(STAGING_TABLES.map((table) => [table.name, table] as const))(
    'are those of the driver for any line of %s',
    async (_name, table) => {
      const cells = table.columns.map(({ type, nullable }) => (nullable ? fc.option(valuesOf(type)) : valuesOf(type)));
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(...cells), { maxLength: 12 }), async (lines) => {
          expect((await ours(table, lines)).equals(await theirs(table, lines))).toBe(true);
        }),
        { numRuns: 40 },
      );
    },
  );

  it('are those of the driver at the bounds of each type', async () => {
    const cases: Readonly<Record<string, readonly unknown[]>> = {
      INT: [0, -1, 2 ** 31 - 1, -(2 ** 31), null],
      BIGINT: [0, -1, 2 ** 32, -(2 ** 32), 2 ** 53 - 1, -(2 ** 53 - 1), 2n ** 63n - 1n, -(2n ** 63n), null],
      BIT: [true, false, null],
      'DECIMAL(5,2)': [0, 0.01, 100, 99.99, 0.285, null],
      'DECIMAL(15,2)': [0, 42_949_672.95, 42_949_672.96, 9_999_999_999_999.99, -0.01, null],
      'DATETIME2(3)': [
        '0001-01-01T00:00:00.000Z',
        '1969-12-31T23:59:59.999Z',
        '9999-12-31T23:59:59.999Z',
        '2024-02-29T12:00:00.5Z',
      ]
        .map((time) => new Date(time) as Date | null)
        .concat(null),
      'NVARCHAR(255)': ['', 'a', 'ä€😀', 'x'.repeat(255), '\ud800', null],
      'NVARCHAR(MAX)': ['', '{}', 'y'.repeat(70_000), null],
      'BINARY(16)': [Buffer.alloc(16, 7), Buffer.alloc(3, 1), null],
    };
    for (const [type, values] of Object.entries(cases)) {
      const lines = values.map((value) => [value]);
      expect([type, await ours(tableOf(type), lines)]).toEqual([type, await theirs(tableOf(type), lines)]);
    }
  });

  it('are the same whether a time is a date or ms, and 16 bytes a buffer or a UUID', async () => {
    const table = tableOf('DATETIME2(3)', 'BINARY(16)');
    const now = Date.parse('2026-11-24T12:34:56.789Z');
    const given = await ours(table, [[now, uuid(3)]]);
    expect(given).toEqual(await theirs(table, [[new Date(now), uuidToBytes(uuid(3))]]));
  });

  it('come in pieces where there are many, and each line whole', async () => {
    const table = tableOf('NVARCHAR(255)', 'INT');
    const lines = Array.from({ length: 5000 }, (_, n) => [`host-${n}`, n]);
    const pieces: Buffer[] = [];
    for await (const piece of new BulkRows(loadInto(table), table, lines)) pieces.push(piece);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(16 * 1024);
    expect(Buffer.concat(pieces)).toEqual(await theirs(table, lines));
  });

  it.each([
    ['INT', 2 ** 31],
    ['INT', 1.5],
    ['BIGINT', 2 ** 53],
    ['DECIMAL(5,2)', 42_949_672.96],
    ['DECIMAL(5,2)', Number.NaN],
    ['DECIMAL(5,2)', '1'],
    ['DECIMAL(15,2)', Number.POSITIVE_INFINITY],
    ['DATETIME2(3)', new Date(Number.NaN)],
    ['DATETIME2(3)', 253_402_300_800_000],
    ['NVARCHAR(255)', 1],
    ['BINARY(16)', Buffer.alloc(17)],
    ['BINARY(16)', 'not a UUID'],
  ])('are not made of what a column of %s can not hold: %s', async (type, value) => {
    await expect(ours(tableOf(type), [[value]])).rejects.toThrow(/not a|17 bytes/);
  });
});
