/** The T-SQL under Microsoft's own parser, where its wrapper lies beside the repository. It checks syntax, not meaning. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryText } from '../../../../packaging/grafana/fleet.ts';
import { createDatabaseText, STATEMENTS } from '../../../../src/sink/sqlserver/statements.ts';
import { ACCEPTANCE_STATEMENTS } from '../../../sqlserver/statements.ts';
import { contextOf, questions } from '../../../support/fleet-questions.ts';
import { expandMacros } from '../../../support/grafana-macros.ts';

const root = join(import.meta.dirname, '../../../..');
const linter = join(root, '../shared/tools/tsql-lint');
const run = promisify(execFile);

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsql-'));
});

afterAll(() => rmSync(directory, { recursive: true }));

interface Verdict {
  readonly code: number;
  readonly output: string;
}

/** One file for all: the parser takes seconds to start, and each GO begins anew. */
async function lint(texts: readonly string[]): Promise<Verdict> {
  const file = join(directory, 'statements.sql');
  writeFileSync(file, texts.join('\nGO\n'));
  try {
    return { code: 0, output: (await run(linter, [file])).stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

const available = existsSync(linter) ? await lintsAtAll() : 'the parser’s wrapper, tsql-lint, is not here';

async function lintsAtAll(): Promise<true | string> {
  const scratch = mkdtempSync(join(tmpdir(), 'tsql-'));
  try {
    writeFileSync(join(scratch, 'bad.sql'), 'SELECT 1 FROM;');
    await run(linter, [join(scratch, 'bad.sql')]);
    return 'the parser takes anything';
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return code === 1 ? true : `the parser could not be had: ${stderr}`;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

describe.skipIf(available !== true)(`T-SQL${available === true ? '' : ` (skipped: ${available})`}`, () => {
  it('of the files in sql/ has no syntax error', async ({ skip }) => {
    const files = readdirSync(join(root, 'sql')).filter((name) => name.endsWith('.sql'));
    const verdict = await lint(files.map((name) => readFileSync(join(root, 'sql', name), 'utf8')));
    // Its parser is a program of its own, which a busy machine may keep from answering.
    skip(verdict.code === 2, verdict.output);
    expect(verdict, verdict.output).toMatchObject({ code: 0 });
  });

  it('of every statement that the sink sends has none', async ({ skip }) => {
    const verdict = await lint([...Object.values(STATEMENTS), createDatabaseText('a]b')]);
    skip(verdict.code === 2, verdict.output);
    expect(verdict, verdict.output).toMatchObject({ code: 0 });
  });

  it('of the acceptance suite has none, the queries of the fleet dashboard among it', async ({ skip }) => {
    const queries = questions(0).map(({ query }) => expandMacros(queryText(query), contextOf(0)));
    const verdict = await lint([...Object.values(ACCEPTANCE_STATEMENTS), ...queries]);
    skip(verdict.code === 2, verdict.output);
    expect(verdict, verdict.output).toMatchObject({ code: 0 });
  });
});
