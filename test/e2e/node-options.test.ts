/** What the environment can make of Node inside the executable. */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../support/broker-certificates.ts';
import { RunningExecutable, runExecutable, Scratch } from '../support/executable.ts';

describe('an environment that means Node', () => {
  it('loads no code into the executable and changes none of its options', () => {
    using scratch = new Scratch();
    const evil = scratch.file('evil.cjs');
    writeFileSync(evil, 'process.stderr.write("EVIL\\n");');
    for (const options of [`--require ${evil}`, `--import ${evil}`, '--inspect=0', '--tls-min-v1.0', '--no-such']) {
      const { code, stdout, stderr } = runExecutable(['--version'], { env: { NODE_OPTIONS: options } });
      expect([code, stderr], options).toEqual([0, '']);
      expect(stdout).toContain('hostspool');
    }
    // Flags of node are no flags of the executable.
    expect(runExecutable([`--require=${evil}`, 'status'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('[USAGE]'),
    });
  });

  it('does not take the checking of certificates away, and says so', async () => {
    using scratch = new Scratch();
    const server = createServer(new CertificateAuthority().issue({ commonName: 'broker', names: ['127.0.0.1'] }));
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await using agent = new RunningExecutable(
      [
        '--config=/dev/null',
        `--kafka.brokers=127.0.0.1:${port}`,
        '--kafka.tls.enabled',
        '--http.address=',
        '--collect.interval=100ms',
        `--spool.path=${scratch.file('spool.db')}`,
      ],
      { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    );
    const failed = await agent.line(({ err }) => (err as { code?: string })?.code !== undefined);
    expect(failed).toMatchObject({ err: { code: 'KAFKA_TLS' } });
    expect(agent.lines).toContainEqual(
      expect.objectContaining({ event: 'settings_warning', msg: expect.stringContaining('is ignored') }),
    );
    server.close();
  });
});
