/** Every secret there is, in every form it may be given in, while things go well and badly: and where it turns up. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, inject, it } from 'vitest';
import { createTopic } from '../support/broker.ts';
import { CertificateAuthority } from '../support/broker-certificates.ts';
import { RunningExecutable, runExecutable, Scratch, until } from '../support/executable.ts';
import { ask } from '../support/http-client.ts';
import { bodyOf, findSecrets, findSecretsBelow, newSecret } from '../support/secrets.ts';
import { TdsProcess } from '../support/tds/process.ts';

const broker = inject('broker');

/** What everybody on the machine sees of a process. */
function commandLine(pid: number): Buffer {
  return readFileSync(`/proc/${pid}/cmdline`);
}

async function everyAnswer(port: number, token: string): Promise<string> {
  const answers: string[] = [];
  for (const path of ['/health', '/health/live', '/health/ready', '/metrics', '/status', '/nothing', `/${token}`]) {
    for (const shown of [token, `${token}x`, undefined]) {
      const headers = shown === undefined ? {} : { authorization: `Bearer ${shown}` };
      const answer = await ask(port, path, { headers, tls: true, rejectUnauthorized: false });
      answers.push(JSON.stringify(answer));
    }
  }
  return answers.join('\n');
}

describe.skipIf(!broker.available)(`secrets${broker.available ? '' : ` (skipped: ${broker.reason})`}`, () => {
  if (!broker.available) return;
  const { sasl, mutual, ca, bootstrap } = broker;

  it('show nowhere but in the files and variables they came from', async () => {
    using scratch = new Scratch();
    // Apart from what the processes write themselves.
    using given = new Scratch();
    const http = new CertificateAuthority().issue({ commonName: 'localhost', names: ['127.0.0.1'] });
    const secrets = new Map([
      ['kafka.sasl.password', sasl.password],
      ['a wrong kafka.sasl.password', newSecret('kafka')],
      ['sqlserver.password', newSecret('sql')],
      ['a wrong sqlserver.password', newSecret('wrong-sql')],
      ['http.token', newSecret('token').replace('ß', 's')],
      ['the key of kafka.tls.key', bodyOf(mutual.client.key)],
      ['the key of http.tls.key', bodyOf(http.key)],
    ]);
    const secret = (name: string) => secrets.get(name) as string;
    const file = (name: string, content: string) => {
      writeFileSync(given.file(name), content, { mode: 0o600 });
      return given.file(name);
    };
    const seen: [string, Buffer][] = [];
    const note = (where: string, content: string | Buffer) => void seen.push([where, Buffer.from(content)]);

    const topic = `secrets-${randomUUID()}`;
    await createTopic(bootstrap, topic);
    const password = file('password', `${sasl.password}\n`);
    const config = file(
      'hostspool.yaml',
      `kafka:
  brokers: [${sasl.bootstrap}]
  topic: ${topic}
  tls:
    enabled: true
    ca: ${file('ca.pem', ca)}
    cert: ${file('client.pem', mutual.client.cert)}
    key: ${file('client.key', mutual.client.key)}
  sasl: { mechanism: plain, username: ${sasl.username}, password: { file: ${password} } }
http:
  address: 127.0.0.1:0
  tls: { cert: ${file('http.pem', http.cert)}, key: ${file('http.key', http.key)} }
backoff: { base: 100ms, cap: 500ms }
collect: { interval: 200ms }
log: { level: trace }
`,
    );
    const credentials = given.file('credentials');
    mkdirSync(credentials);
    writeFileSync(given.file('credentials/http.token'), secret('http.token'), { mode: 0o600 });

    // An agent: file, file named by a variable, credentials; then a login that is refused.
    const spool = `--spool.path=${scratch.file('spool.db')}`;
    {
      await using agent = new RunningExecutable([`--config=${config}`, spool], { CREDENTIALS_DIRECTORY: credentials });
      const { port } = await agent.event('http_listening');
      const headers = { authorization: `Bearer ${secret('http.token')}` };
      const isShipped = async () => {
        const { text } = await ask(Number(port), '/metrics', { headers, tls: true, rejectUnauthorized: false });
        return /hostspool_messages_sent_total [1-9]/.test(text);
      };
      await until(isShipped, 'samples were sent');
      note('answers', await everyAnswer(Number(port), secret('http.token')));
      writeFileSync(password, secret('a wrong kafka.sasl.password'));
      agent.signal('SIGHUP');
      await agent.event('kafka_access_renewed');
      const refused = await agent.line(({ err }) => (err as { code?: string })?.code === 'KAFKA_AUTHENTICATION');
      expect(refused.level).toBe('error');
      note('answers while the login is refused', await everyAnswer(Number(port), secret('http.token')));
      note('arguments of the agent', commandLine(agent.pid));
      // Nobody attaches a debugger, and what ends it at once leaves no report.
      agent.signal('SIGUSR1');
      await agent.end('SIGQUIT');
      note('log of the agent', JSON.stringify(agent.lines));
      note('errors of the agent', agent.stderr);
    }
    writeFileSync(password, sasl.password);

    // A writer: variables; a wrong password, then the right one.
    await using database = await TdsProcess.start({
      directory: given.file('tds'),
      args: ['--password', secret('sqlserver.password')],
    });
    const writer = [
      `--config=${config}`,
      '--mode=writer',
      '--sqlserver.host=127.0.0.1',
      `--sqlserver.port=${database.port}`,
      '--sqlserver.user=hostspool',
      '--sqlserver.encrypt=false',
    ];
    const env = (sql: string) => ({
      HOSTSPOOL_SQLSERVER_PASSWORD: secret(sql),
      HOSTSPOOL_HTTP_TOKEN: secret('http.token'),
    });
    {
      await using wrong = new RunningExecutable(writer, env('a wrong sqlserver.password'));
      await wrong.exited;
      expect(wrong.stderr).toContain('SINK_LOGIN');
      note('log of a refused writer', JSON.stringify(wrong.lines));
      note('errors of a refused writer', wrong.stderr);
    }
    {
      await using running = new RunningExecutable(writer, env('sqlserver.password'));
      const { port } = await running.event('http_listening');
      await until(async () => Number((await database.totals().catch(() => ({ received: 0 }))).received) > 0, 'rows');
      note('answers of the writer', await everyAnswer(Number(port), secret('http.token')));
      note('arguments of the writer', commandLine(running.pid));
      await running.end();
      note('log of the writer', JSON.stringify(running.lines));
      note('errors of the writer', running.stderr);
    }

    // The commands, well and badly.
    const all = { ...env('sqlserver.password'), HOSTSPOOL_KAFKA_SASL_PASSWORD_FILE: '' };
    for (const args of [
      ['config'],
      ['config', '--json'],
      ['config', '--check', '--mode=writer', '--sqlserver.user=u'],
      ['lag', '--sqlserver.user=u', '--sqlserver.port=1'],
      ['status', '--json', spool],
      ['dead-letters', 'list'],
      ['--spool.path=/proc/none/spool.db'],
      [`--sqlserver.password=${secret('sqlserver.password')}`],
      ['--sqlserver.password', secret('sqlserver.password')],
      [`--http.tokn=${secret('http.token')}`],
    ]) {
      const { code, stdout, stderr } = runExecutable([`--config=${config}`, ...args], { env: all });
      expect(code, args[0]).not.toBeNull();
      note(`output of ${args[0]?.split('=')[0]}`, stdout + stderr);
    }

    // The search itself would find them: they are in the files that were given.
    expect(findSecretsBelow(given.path, secrets).length).toBeGreaterThan(3);
    expect(seen.flatMap(([where, bytes]) => findSecrets(where, bytes, secrets))).toEqual([]);
    expect(findSecretsBelow(scratch.path, secrets)).toEqual([]);
  });
});
