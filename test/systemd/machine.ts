/**
 * A machine with a real systemd: systemd-nspawn boots an overlay of this one's root filesystem, whose changes lie in
 * memory and are gone at the end. The network is this machine's, so that the broker of the tests is on 127.0.0.1.
 *
 * It needs root, systemd-container, overlayfs and dpkg; `whyNoMachine` says which is missing.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../support/executable.ts';

const COMMAND_LIMIT_MS = 120_000;
/** Started by systemd instead of what the machine usually runs. */
const TARGET = 'hostspool-test.target';

export interface Answer {
  readonly code: number | null;
  readonly output: string;
}

/** Undefined where a machine can be booted, which is tried. */
export async function whyNoMachine(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'it needs root';
  for (const program of ['systemd-nspawn', 'nsenter', 'dpkg-deb', 'mount', 'gcc']) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `${program} is not here`;
  }
  if (!existsSync('/lib/systemd/systemd')) return 'systemd is not here';
  const probe = new Overlay();
  try {
    probe.mount();
    const machine = await Machine.boot(probe);
    await machine.off();
    return undefined;
  } catch (error) {
    return `no machine can be booted: ${(error as Error).message.slice(0, 300)}`;
  } finally {
    probe.remove();
  }
}

/** The root filesystem with changes of its own. */
export class Overlay {
  readonly #base = mkdtempSync('/var/tmp/hostspool-machine-');
  readonly #mounted: string[] = [];

  get root(): string {
    return join(this.#base, 'root');
  }

  mount(): void {
    this.#mount(['-t', 'tmpfs', '-o', 'mode=0755', 'tmpfs', this.#base], this.#base);
    for (const name of ['changes', 'work', 'root']) mkdirSync(join(this.#base, name));
    const layers = `lowerdir=/,upperdir=${join(this.#base, 'changes')},workdir=${join(this.#base, 'work')}`;
    this.#mount(['-t', 'overlay', '-o', layers, 'overlay', this.root], this.root);
  }

  /** For commands under chroot, without a systemd. */
  mountProc(): void {
    this.#mount(['-t', 'proc', 'proc', join(this.root, 'proc')], join(this.root, 'proc'));
  }

  chroot(...command: readonly string[]): Answer {
    return answer(
      spawnSync('chroot', [this.root, ...command], { encoding: 'utf8', timeout: COMMAND_LIMIT_MS, env: ENV }),
    );
  }

  path(path: string): string {
    return join(this.root, path);
  }

  write(path: string, text: string): void {
    mkdirSync(join(this.path(path), '..'), { recursive: true });
    writeFileSync(this.path(path), text);
  }

  copy(from: string, to: string): void {
    cpSync(from, this.path(to));
  }

  remove(): void {
    for (const path of this.#mounted.splice(0).reverse()) spawnSync('umount', ['-l', path]);
    rmSync(this.#base, { recursive: true, force: true });
  }

  #mount(args: readonly string[], path: string): void {
    execFileSync('mount', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#mounted.push(path);
  }
}

const ENV = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' };

function answer({ status, stdout, stderr }: { status: number | null; stdout: string; stderr: string }): Answer {
  return { code: status, output: `${stdout}${stderr}` };
}

export class Machine {
  readonly disk: Overlay;
  readonly #container: ChildProcess;
  #leader: number | undefined;
  #console = '';

  private constructor(disk: Overlay) {
    this.disk = disk;
    // Images of containers forbid packages to start and stop services.
    rmSync(disk.path('/usr/sbin/policy-rc.d'), { force: true });
    disk.write(
      `/etc/systemd/system/${TARGET}`,
      '[Unit]\nRequires=basic.target\nWants=dbus.service\nAfter=basic.target\nAllowIsolate=yes\n',
    );
    const options = ['--boot', '--register=no', '--keep-unit', '--console=pipe', '--link-journal=no'];
    this.#container = spawn(
      'systemd-nspawn',
      [...options, `--directory=${disk.root}`, '--machine=hostspool-test', `systemd.unit=${TARGET}`],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...ENV, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
      },
    );
    for (const stream of [this.#container.stdout, this.#container.stderr]) {
      stream?.on('data', (data) => {
        this.#console += String(data);
      });
    }
  }

  static async boot(disk: Overlay): Promise<Machine> {
    const machine = new Machine(disk);
    try {
      await until(() => machine.#isUp(), 'the machine has booted', 90_000);
      return machine;
    } catch (error) {
      await machine.off();
      throw new Error(`${(error as Error).message}: ${machine.#console}`);
    }
  }

  #isUp(): boolean {
    if (this.#container.exitCode !== null) throw new Error(`systemd-nspawn ended with ${this.#container.exitCode}`);
    this.#leader ??= leaderOf(this.#container.pid as number);
    return this.#leader !== undefined && this.run(`systemctl is-active ${TARGET}`).code === 0;
  }

  /** Runs a line of shell in the machine. */
  run(command: string): Answer {
    const args = ['--target', String(this.#leader), '--mount', '--uts', '--ipc', '--pid', '--', 'sh', '-c', command];
    return answer(spawnSync('nsenter', args, { encoding: 'utf8', timeout: COMMAND_LIMIT_MS, env: ENV }));
  }

  /** The same, and throws when it fails. */
  must(command: string): string {
    const { code, output } = this.run(command);
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${output}`);
    return output;
  }

  /** A property of a unit. */
  property(unit: string, name: string): string {
    return this.must(`systemctl show ${unit} --value -p ${name}`).trim();
  }

  journal(unit: string): string {
    return this.must(`journalctl --no-pager -o cat -u ${unit}`);
  }

  async off(): Promise<void> {
    const ended = new Promise((resolve) => this.#container.once('exit', resolve));
    if (this.#container.exitCode === null && this.#container.signalCode === null) {
      // The container's processes go with its first one.
      if (this.#leader !== undefined) process.kill(this.#leader, 'SIGKILL');
      else this.#container.kill('SIGKILL');
      await ended;
    }
  }
}

/** The first process of the namespace that this nspawn made: the one whose own number in there is 1. */
function leaderOf(nspawn: number): number | undefined {
  const parents = new Map<number, number>();
  const firsts: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      parents.set(Number(name), Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]));
      if (/^NSpid:\s+\d+\s+1$/m.test(status)) firsts.push(Number(name));
    } catch {
      // It has ended meanwhile.
    }
  }
  return firsts.find((pid) => {
    for (let above = pid; above > 1; above = parents.get(above) ?? 0) if (above === nspawn) return true;
    return false;
  });
}
