/**
 * The root filesystem of the image, built without an engine, and a container around it made of the kernel's own means.
 *
 * The packages are those that the base of packaging/docker/Dockerfile is made of (distroless: the static base and cc),
 * from Debian, unpacked side by side; on top of it what the Dockerfile adds. A container is new mount, pid, network, uts
 * and ipc namespaces, that root read-only, a /proc of its own, /tmp as a tmpfs with noexec, a volume for the state, the
 * host at /host, and the image's user without capabilities. What an engine adds to that (seccomp, AppArmor, cgroups) is
 * not there. Needs root and Debian 12 on amd64.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { executable, type Finished, type LogLine } from './executable.ts';

const build = join(import.meta.dirname, '../../build');
const root = join(build, 'image-root');
const PACKAGES = [
  ...['base-files', 'netbase', 'tzdata', 'ca-certificates', 'libc6', 'libssl3'],
  ...['gcc-12-base', 'libgcc-s1', 'libgomp1', 'libstdc++6'],
];
const TOOLS = ['unshare', 'nsenter', 'setpriv', 'chroot', 'python3', 'apt-get', 'dpkg-deb'];
const USER = 65_532;
const PASSWD = `root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:${USER}:${USER}:nonroot:/home/nonroot:/sbin/nologin\n`;
const DEVICES = ['null', 'zero', 'random', 'urandom'];

/**
 * Mounts and enters the container: root, state, seconds it may run (0: for ever), then the command. In it `lo` is up, as
 * engines have it.
 */
const ENTER = `
set -eu
root=$1 state=$2 limit=$3
shift 3
mount --bind "$root" "$root"
mount --rbind --make-rslave / "$root/host"
mount -t proc proc "$root/proc"
mount -t tmpfs -o noexec,nosuid,nodev,mode=1777,size=16m tmpfs "$root/tmp"
mount --bind "$state" "$root/var/lib/hostspool"
for device in ${DEVICES.join(' ')}; do mount --bind "/dev/$device" "$root/dev/$device"; done
mount -o remount,bind,ro "$root"
python3 -c "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH14s', b'lo', 1, b''))"
python3 -c "import socket; socket.sethostname('3f2a9c0d71be')"
set -- setpriv --no-new-privs chroot --userspec=${USER}:${USER} --groups=${USER} "$root" /usr/bin/hostspool "$@"
[ "$limit" = 0 ] || set -- timeout "$limit" "$@"
exec "$@"
`;
/** A command that should end and does not takes its container with it: killing unshare alone would leave it behind. */
const RUN_LIMIT_S = 55;
const NAMESPACES = ['--mount', '--pid', '--net', '--uts', '--ipc'];

/** Builds the root where it is missing; answers why it can't be had here. */
export function prepareImageRoot(): string | undefined {
  if (process.getuid?.() !== 0) return 'it takes root';
  const missing = TOOLS.filter((tool) => spawnSync('which', [tool]).status !== 0);
  if (missing.length > 0) return `no ${missing.join(', ')} here`;
  if (process.arch !== 'x64' || !/^VERSION_ID="12"$/m.test(readFileSync('/etc/os-release', 'utf8'))) {
    return 'it takes Debian 12 on amd64';
  }
  if (spawnSync('unshare', [...NAMESPACES, '--fork', 'true']).status !== 0) return 'no namespaces can be made here';
  return existsSync(root) ? undefined : buildRoot();
}

function buildRoot(): string | undefined {
  const debs = mkdtempSync(join(build, 'image-debs-'));
  const tree = mkdtempSync(join(build, 'image-tree-'));
  try {
    const download = () =>
      spawnSync('apt-get', ['download', '-q', ...PACKAGES], { cwd: debs, encoding: 'utf8', timeout: 60_000 });
    let { status, stderr } = download();
    // A machine whose lists are old, or not there yet.
    if (status !== 0 && spawnSync('apt-get', ['update', '-q'], { timeout: 60_000 }).status === 0) {
      ({ status, stderr } = download());
    }
    if (status !== 0) return `apt-get could not download the base: ${stderr.trim().split('\n').at(-1)}`;
    for (const deb of readdirSync(debs)) execFileSync('dpkg-deb', ['-x', join(debs, deb), tree]);
    for (const path of ['host', 'proc', 'tmp', 'dev', 'home/nonroot', 'var/lib/hostspool', 'usr/bin']) {
      mkdirSync(join(tree, path), { recursive: true });
    }
    for (const device of DEVICES) writeFileSync(join(tree, 'dev', device), '');
    writeFileSync(join(tree, 'etc/passwd'), PASSWD);
    execFileSync('chmod', ['0755', tree]);
    renameSync(tree, root);
    return undefined;
  } finally {
    rmSync(debs, { recursive: true, force: true });
    rmSync(tree, { recursive: true, force: true });
  }
}

/** A container of the image; its volume lies in `state`. */
export class Container implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #env: NodeJS.ProcessEnv;
  readonly #lines: LogLine[] = [];
  readonly #exited: Promise<number | null>;
  #stderr = '';

  private constructor(args: readonly string[], state: string, env: NodeJS.ProcessEnv) {
    this.#env = env;
    this.#child = spawn('unshare', enter(args, state, 0), { env, stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (text) => {
      this.#lines.push(JSON.parse(text) as LogLine);
    });
    this.#child.stderr?.on('data', (data) => {
      this.#stderr += String(data);
    });
    this.#exited = new Promise((resolve) => this.#child.on('close', resolve));
  }

  /** Starts the image's entry point. */
  static start(state: string, env: NodeJS.ProcessEnv): Container {
    return new Container([], prepared(state), environment(env));
  }

  /** Runs a command in a container of its own, to its end. */
  static run(state: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Finished {
    return finished(spawnSync('unshare', enter(args, prepared(state), RUN_LIMIT_S), options(environment(env))));
  }

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The container's first process, as this machine numbers it. */
  get #first(): number {
    const unshare = this.#child.pid as number;
    return Number(readFileSync(`/proc/${unshare}/task/${unshare}/children`, 'utf8').split(' ')[0]);
  }

  /** Runs a command in this container, as a health check does. */
  exec(args: readonly string[], env: NodeJS.ProcessEnv = {}): Finished {
    const into = [
      '--target',
      String(this.#first),
      ...NAMESPACES,
      '--root',
      '--wdns=/',
      '--setuid',
      String(USER),
      '--setgid',
      String(USER),
    ];
    return finished(spawnSync('nsenter', [...into, '/usr/bin/hostspool', ...args], options({ ...this.#env, ...env })));
  }

  /** SIGTERM to its first process, as `docker stop` sends it; resolves with the exit code. */
  async stop(): Promise<number | null> {
    process.kill(this.#first, 'SIGTERM');
    return this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Not unshare: the first process would outlive it, since who changes its user is no longer told of a parent's death.
    if (this.#child.exitCode === null) process.kill(this.#first, 'SIGKILL');
    await this.#exited;
  }
}

function enter(args: readonly string[], state: string, limit: number): string[] {
  const shell = ['sh', '-c', ENTER, 'sh', root, state, String(limit), ...args];
  return [...NAMESPACES, '--fork', '--propagation', 'slave', ...shell];
}

/** Puts the executable in place, which may be another than last time, and gives the volume its owner. */
function prepared(state: string): string {
  const program = join(root, 'usr/bin/hostspool');
  rmSync(program, { force: true });
  linkSync(executable, program);
  chownSync(state, USER, USER);
  return state;
}

function environment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    STATE_DIRECTORY: '/var/lib/hostspool',
    ...env,
  };
}

function options(env: NodeJS.ProcessEnv) {
  return { env, encoding: 'utf8', timeout: 60_000 } as const;
}

function finished({ status, stdout, stderr }: { status: number | null; stdout: string; stderr: string }): Finished {
  return { code: status, stdout, stderr };
}
