/** The queries of the fleet dashboard on a server, with what Grafana puts in place of its macros. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryText } from '../../packaging/grafana/fleet.ts';
import { compared, contextOf, questions, seedFleet } from '../support/fleet-questions.ts';
import { expandMacros } from '../support/grafana-macros.ts';
import { missing, TestDatabase } from './database.ts';

const now = Date.now();

/** BIGINT comes as text, a time as a Date. */
function plain(value: unknown, expected: unknown): unknown {
  if (typeof expected !== 'number') return value;
  const number = Number(value);
  return value !== null && Math.abs(number - expected) < 1e-6 ? expected : number;
}

describe.skipIf(missing !== undefined)(
  `dashboards on a server${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let database: TestDatabase;

    beforeAll(async () => {
      database = await TestDatabase.create();
      await seedFleet(database.sink(), now);
    });

    afterAll(async () => {
      await database?.[Symbol.asyncDispose]();
    });

    it.each(questions(now).map((question) => [question.query, question] as const))(
      '%s answers',
      async (query, question) => {
        const rows = await database.ask(query, expandMacros(queryText(query), contextOf(now)));
        expect(compared(rows, question, plain)).toEqual(question.answer);
      },
    );
  },
);
