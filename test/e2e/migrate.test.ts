/** `hostspool migrate` as its users run it: the driver inside the executable against the TDS double. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../src/sink/sqlserver/migrations.ts';
import { runExecutable, Scratch } from '../support/executable.ts';
import { TdsProcess } from '../support/tds/process.ts';

const FILES = MIGRATIONS.map(({ version, name }) => `${String(version).padStart(4, '0')}-${name}.sql`);

describe('hostspool migrate', () => {
  let scratch: Scratch;
  let server: TdsProcess;

  beforeAll(async () => {
    scratch = new Scratch();
    server = await TdsProcess.start({ directory: join(scratch.path, 'databases'), args: ['--database', 'other'] });
  });

  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    scratch?.[Symbol.dispose]();
  });

  function migrate(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    return runExecutable(['migrate', '--config=/dev/null', ...args], {
      cwd: scratch.path,
      env: {
        DB_HOST: '127.0.0.1',
        DB_PORT: String(server.port),
        DB_USER: 'hostspool',
        DB_PASSWORD: 'secret',
        HOSTSPOOL_SQLSERVER_ENCRYPT: 'false',
        ...env,
      },
    });
  }

  it('prints the schema and the roles without a server or settings', () => {
    const { code, stdout } = runExecutable(['migrate', '--print'], { cwd: scratch.path });
    expect(code).toBe(0);
    for (const file of FILES) expect(stdout).toContain(`-- ${file}\n`);
    expect(runExecutable(['migrate', '--print-roles'], { cwd: scratch.path }).stdout).toContain('hostspool_writer');
  });

  it('says what is missing, makes it with its database, and then finds nothing to do', () => {
    expect(migrate(['--status'])).toMatchObject({ code: 1, stdout: '' });
    expect(migrate()).toEqual({ code: 0, stdout: FILES.map((file) => `applied ${file}\n`).join(''), stderr: '' });
    expect(migrate()).toEqual({ code: 0, stdout: 'monitoring is up to date\n', stderr: '' });
    const status = migrate(['--status']);
    expect(status).toMatchObject({ code: 0, stderr: '' });
    expect(status.stdout.match(/^applied /gm)).toHaveLength(FILES.length);
  });

  it('exits 3 from --status when migrations are missing', () => {
    const { code, stdout } = migrate(['--status'], { DB_NAME: 'other' });
    expect(code).toBe(3);
    expect(stdout).toBe(FILES.map((file) => `missing ${file}\n`).join(''));
  });

  it('tells a wrong password, a server that is not there and missing settings apart, and shows no secret', () => {
    const wrong = migrate([], { DB_PASSWORD: 'not-the-password-1' });
    expect(wrong).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('[SINK_LOGIN]') });
    expect(wrong.stderr).not.toContain('not-the-password-1');
    const nowhere = migrate([], { DB_PORT: '1' });
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('ECONNREFUSED') });
    expect(nowhere.stderr).toContain('[SINK_UNAVAILABLE]');
    expect(migrate([], { DB_USER: '' })).toMatchObject({ code: 2, stderr: expect.stringContaining('[SINK_SETTINGS]') });
  });

  it('sends no password to a server that will not encrypt', () => {
    const { code, stderr } = migrate([], { HOSTSPOOL_SQLSERVER_ENCRYPT: 'true' });
    expect(code).toBe(1);
    expect(stderr).toContain('[SINK_TLS]');
  });
});
