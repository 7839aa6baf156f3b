/**
 * The package and its services through their whole life, under a real systemd. The tests are one story and run in
 * order: what one leaves the next begins with.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { openSqlite } from '../../src/lib/sqlite.ts';
import { createTopic } from '../support/broker.ts';
import { readTopic, uniqueTopic } from '../support/broker-client.ts';
import { until } from '../support/executable.ts';
import { freePort, TcpProxy } from '../support/proxy.ts';
import { runsOf, upTo } from '../support/seen-runs.ts';
import { Machine, Overlay, whyNoMachine } from './machine.ts';
import { makePackages, type Packages } from './packages.ts';

const broker = inject('broker');
const missing = broker.available ? await whyNoMachine() : broker.reason;
const AGENT = 'hostspool.service';
const WRITER = 'hostspool-writer.service';

describe.skipIf(missing !== undefined)(`the package${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  if (!broker.available) return;
  const topic = uniqueTopic('systemd');
  const directory = mkdtempSync(join(tmpdir(), 'hostspool-packages-'));
  const disk = new Overlay();
  let packages: Packages;
  let machine: Machine;
  /** Why the machine, which can be laid out here, does not boot. */
  let unbootable: string | undefined;
  let proxy: TcpProxy | undefined;

  const openProxy = async () => {
    proxy = await TcpProxy.listen({ target: broker.proxyTarget, port: Number(broker.proxied.split(':')[1]) });
  };
  const closeProxy = async () => {
    await proxy?.[Symbol.asyncDispose]();
    proxy = undefined;
  };
  const seen = async () => runsOf(await readTopic(broker.bootstrap, topic));
  const samples = async () => (await seen()).reduce((sum, { firstSeqs }) => sum + firstSeqs.length, 0);
  const pid = (unit = AGENT) => Number(machine.property(unit, 'MainPID'));
  const spoolDepth = () => {
    const { output } = machine.run('hostspool --status --json');
    return (JSON.parse(output) as { spool: { depth: number } }).spool.depth;
  };
  /** Waits until the unit runs as another process than `before`: asked at once, since both change between two questions. */
  const untilAnew = (before: number, unit = AGENT) =>
    until(() => {
      const shown = machine.must(`systemctl show ${unit} -p ActiveState -p MainPID`);
      const now = Number(/^MainPID=(\d+)$/m.exec(shown)?.[1]);
      return shown.includes('ActiveState=active\n') && now > 0 && now !== before;
    }, `${unit} runs anew`);
  const install = (path: string, name: string) => {
    disk.copy(path, `/root/${name}`);
    return machine.must(`DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i /root/${name}`);
  };

  beforeAll(async () => {
    packages = makePackages(directory);
    await createTopic(broker.bootstrap, topic, { partitions: 2 });
    disk.mount();
    try {
      machine = await Machine.boot(disk);
    } catch (error) {
      unbootable = `no machine boots here: ${(error as Error).message}`;
      process.stderr.write(`the package (skipped): ${unbootable}\n`);
      return;
    }
    await openProxy();
  }, 240_000);

  beforeEach(({ onTestFailed, skip }) => {
    if (unbootable !== undefined) skip(unbootable);
    onTestFailed(() => {
      const { output } = machine.run('journalctl --no-pager -o cat | cut -c 1-300 | tail -n 40');
      process.stderr.write(`the end of the machine's journal:\n${output}\n`);
    });
  });

  afterAll(async () => {
    await closeProxy();
    await machine?.off();
    disk.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  it('installs without starting anything, and says what to set, where no broker is configured', () => {
    const output = install(packages.older, 'older.deb');
    expect(output).toContain('KAFKA_BROKERS_MISSING');
    expect(output).toContain('systemctl enable --now hostspool');
    for (const unit of [AGENT, WRITER]) {
      expect(machine.run(`systemctl is-enabled ${unit}`).output.trim()).toBe('disabled');
      expect(machine.property(unit, 'ActiveState')).toBe('inactive');
    }
    expect(machine.must('stat -c "%U:%G %a" /etc/hostspool/hostspool.yaml').trim()).toBe('root:hostspool 640');
    expect(machine.must('hostspool config --json')).toContain('/var/lib/hostspool/spool.db');
  });

  it('takes one line of configuration and a start to deliver samples', async () => {
    const settings = [`s|^#  brokers:.*|  brokers: [${broker.proxied}]|`, `s|^#  topic:.*|  topic: ${topic}|`];
    const quicker = ['s|^#  interval:.*|  interval: 250ms|', 's|^#  base:.*|  base: 100ms|', 's|^#  cap:.*|  cap: 1s|'];
    for (const change of [...settings, ...quicker]) machine.must(`sed -i '${change}' /etc/hostspool/hostspool.yaml`);
    machine.must('hostspool config --check');
    machine.must(`systemctl enable --now ${AGENT}`);
    expect(machine.property(AGENT, 'ActiveState')).toBe('active');
    await until(async () => (await samples()) >= 5, 'five samples are in Kafka');
    expect(machine.must(`ps -o user= -p ${pid()}`).trim()).toBe('hostspool');
    expect(machine.must('stat -c "%U %a" /var/lib/hostspool /var/lib/hostspool/spool.db')).toBe(
      'hostspool 750\nhostspool 600\n',
    );
    await until(() => /all shipped|shipping/.test(machine.property(AGENT, 'StatusText')), 'the status line tells');
    machine.must('hostspool --status');
  });

  it('measures under its restrictions what it measures without them', async () => {
    const own = JSON.parse(machine.must('hostspool sample --json')) as object;
    const sent = JSON.parse((await readTopic(broker.bootstrap, topic)).at(-1)?.value ?? '{}') as object;
    const ofTheSample = [
      'event_id',
      'run_id',
      'seq',
      'spool_depth',
      'spool_bytes',
      'spool_oldest_age_seconds',
      'notes',
    ];
    const fields = Object.keys(own).filter(
      (name) => !ofTheSample.includes(name) && !Array.isArray(Reflect.get(own, name)),
    );
    expect(fields.length).toBeGreaterThan(15);
    expect(fields.filter((name) => !(name in sent))).toEqual([]);
    const processes = machine.must('ls /proc | grep -c "^[0-9]"').trim();
    expect(Math.abs(Reflect.get(sent, 'process_count') - Number(processes))).toBeLessThan(15);
  });

  it('is started anew after kill -9, and nothing is lost', async () => {
    const before = pid();
    machine.must(`kill -9 ${before}`);
    await untilAnew(before);
    expect(Number(machine.property(AGENT, 'NRestarts'))).toBe(1);
    await until(async () => (await seen()).length >= 2, 'the second run delivers');
  });

  it('is ended by the watchdog and started anew when it hangs', async () => {
    machine.must(`mkdir -p /run/systemd/system/${AGENT}.d`);
    disk.write('/root/quick.conf', '[Service]\nWatchdogSec=4\nRestartSec=1\n');
    machine.must(`cp /root/quick.conf /run/systemd/system/${AGENT}.d/quick.conf`);
    machine.must(`systemctl daemon-reload && systemctl restart ${AGENT}`);
    const before = pid();
    machine.must(`kill -STOP ${before}`);
    await untilAnew(before);
    expect(machine.journal(AGENT)).toContain('Watchdog timeout');
    // Fed while all is well: it lives on beyond the watchdog's time.
    const now = pid();
    const runs = (await seen()).length;
    await until(async () => (await seen()).length > runs || (await samples()) > 60, 'it has gone on delivering');
    expect(pid()).toBe(now);
  });

  it('takes new settings at a reload, with the same process', async () => {
    const before = pid();
    machine.must("sed -i 's|interval: 250ms|interval: 500ms|' /etc/hostspool/hostspool.yaml");
    machine.must(`systemctl reload ${AGENT}`);
    await until(
      () => /"settings_reloaded","changed":\["collect.interval"/.test(machine.journal(AGENT)),
      'it was taken',
    );
    await until(() => machine.property(AGENT, 'ActiveState') === 'active', 'it is ready again');
    expect(pid()).toBe(before);
  });

  it('keeps serving with the old settings when a reload finds a mistake', async () => {
    const before = pid();
    machine.must("sed -i 's|interval: 500ms|interval: soon|' /etc/hostspool/hostspool.yaml");
    machine.must(`systemctl reload ${AGENT}`);
    await until(() => machine.journal(AGENT).includes('reload_failed'), 'it was refused');
    await until(() => machine.property(AGENT, 'ActiveState') === 'active', 'it is ready again');
    expect(pid()).toBe(before);
    machine.must("sed -i 's|interval: soon|interval: 500ms|' /etc/hostspool/hostspool.yaml");
  });

  it('takes a secret that only root can read, as a credential', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    disk.write('/root/variables', `HOSTSPOOL_HTTP_ADDRESS=${address}\n`);
    machine.must('cp /root/variables /etc/default/hostspool');
    machine.must('mkdir -p /etc/credstore && umask 077 && echo not-for-others > /etc/credstore/hostspool.http.token');
    machine.must(`systemctl restart ${AGENT}`);
    const ask = async (token: string) => {
      const answer = await fetch(`http://${address}/metrics`, { headers: { authorization: `Bearer ${token}` } });
      return answer.status;
    };
    await until(
      () =>
        ask('not-for-others').then(
          (status) => status === 200,
          () => false,
        ),
      'it answers',
    );
    expect(await ask('a-guess')).toBe(401);
    expect(machine.must(`tr '\\0' ' ' < /proc/${pid()}/environ`)).not.toContain('not-for-others');
  });

  it('is upgraded with a backlog in its spool, which arrives whole', async () => {
    await closeProxy();
    await until(() => spoolDepth() >= 10, 'a backlog has gathered');
    await until(() => machine.property(AGENT, 'StatusText').startsWith('Kafka is away'), 'the status line tells');
    const before = pid();
    expect(install(packages.newer, 'newer.deb')).toContain('Setting up hostspool (0.0.2-1)');
    await untilAnew(before);
    expect(spoolDepth()).toBeGreaterThanOrEqual(10);
    expect(machine.must('dpkg-query -W hostspool')).toBe('hostspool\t0.0.2-1\n');
    expect(machine.must(`systemctl is-enabled ${AGENT}`).trim()).toBe('enabled');
    await openProxy();
    await until(() => spoolDepth() <= 2, 'the backlog is delivered');
  });

  it('loads everything exactly once with the writer beside it', async () => {
    disk.write('/root/writer', ['HOSTSPOOL_WRITER_SINK=sqlite', 'HOSTSPOOL_WRITER_BATCH_TIMEOUT=200ms', ''].join('\n'));
    machine.must('cp /root/writer /etc/default/hostspool-writer');
    machine.must(`systemctl enable --now ${WRITER}`);
    expect(machine.must(`ps -o user:20= -p ${pid(WRITER)}`).trim()).toBe('hostspool-writer');
    // The old agent's end, so that nothing more comes.
    machine.must(`systemctl stop ${AGENT}`);
    const total = await samples();
    const count = (query: string) => {
      const database = openSqlite(disk.path('/var/lib/hostspool-writer/metrics.db'), { readonly: true });
      try {
        return database.prepare<[], number>(query).pluck().get();
      } finally {
        database.close();
      }
    };
    await until(() => machine.property(WRITER, 'StatusText').includes(' 0 messages behind'), 'it is not behind');
    await until(() => count('SELECT count(*) FROM server_metrics') === total, 'every sample is a row');
    expect(count('SELECT sum(missing) FROM vw_sample_accounting')).toBe(0);
    for (const { firstSeqs } of await seen())
      expect([...firstSeqs].sort((a, b) => a - b)).toEqual(upTo(firstSeqs.length));
  });

  it('is removed: the services end, settings and spool stay', () => {
    machine.must(`systemctl start ${AGENT}`);
    machine.must('dpkg -r hostspool');
    for (const unit of [AGENT, WRITER]) expect(machine.property(unit, 'ActiveState')).toBe('inactive');
    expect(machine.run('ps -u hostspool,hostspool-writer').code).not.toBe(0);
    machine.must('test -e /var/lib/hostspool/spool.db -a -e /etc/hostspool/hostspool.yaml -a ! -e /usr/bin/hostspool');
  });

  it('goes on with its spool when it is installed again', async () => {
    install(packages.newer, 'newer.deb');
    await until(() => machine.property(AGENT, 'ActiveState') === 'active', 'it runs');
    expect(
      (JSON.parse(machine.run('hostspool --status --json').output) as { spool: { runs: unknown[] } }).spool,
    ).toBeDefined();
  });

  it('is purged: state, settings and users are gone', () => {
    machine.must('dpkg -P hostspool');
    machine.must('test ! -e /var/lib/hostspool -a ! -e /var/lib/hostspool-writer -a ! -e /etc/hostspool');
    machine.must(
      'test ! -e /etc/default/hostspool -a ! -e /etc/systemd/system/multi-user.target.wants/hostspool.service',
    );
    for (const name of ['hostspool', 'hostspool-writer']) expect(machine.run(`getent passwd ${name}`).code).not.toBe(0);
    expect(machine.run('getent group hostspool').code).not.toBe(0);
  });

  it('is installed, removed and purged where no systemd runs, and enabled if a broker is configured before', () => {
    const other = new Overlay();
    try {
      other.mount();
      other.mountProc();
      other.copy(packages.newer, '/root/newer.deb');
      // The password is a credential: only the unit is handed it, and still it counts as set.
      other.write('/etc/credstore/hostspool.kafka.sasl.password', 'not-for-others\n');
      other.write(
        '/etc/default/hostspool',
        ['BROKERS=kafka-1:9092', 'TLS_ENABLED=true', 'SASL_MECHANISM=scram-sha-512', 'SASL_USERNAME=agent', '']
          .map((line) => (line === '' ? line : `HOSTSPOOL_KAFKA_${line}`))
          .join('\n'),
      );
      const { code, output } = other.chroot('dpkg', '--force-confold', '-i', '/root/newer.deb');
      expect({ code, output }).toMatchObject({ code: 0, output: expect.not.stringContaining('was not started') });
      const wanted = '/etc/systemd/system/multi-user.target.wants/hostspool.service';
      expect(other.chroot('test', '-L', wanted).code).toBe(0);
      expect(other.chroot('dpkg', '-r', 'hostspool')).toMatchObject({ code: 0 });
      expect(other.chroot('dpkg', '-P', 'hostspool')).toMatchObject({ code: 0 });
      expect(other.chroot('test', '-e', wanted).code).toBe(1);
    } finally {
      other.remove();
    }
  });
});
