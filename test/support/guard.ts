/**
 * What has to be undone when this process ends, however it ends, kill -9 included: a shell waits at a pipe that closes
 * then. It has a session of its own, so that a Ctrl-C at the terminal, which goes to all that run there, leaves it alone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** What was started by this process may take a moment to go, and writes until then. */
const REMOVE = 'for _ in $(seq 100); do rm -rf "$1" 2>/dev/null && exit; sleep 0.1; done';
const UNMOUNT = 'umount --lazy "$1"';

export class Guard implements Disposable {
  readonly #shell: ChildProcess;

  private constructor(undo: string, path: string) {
    this.#shell = spawn('/bin/sh', ['-c', `read -r _; ${undo}`, 'guard', path], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#shell.unref();
    (this.#shell.stdin as Socket).unref();
  }

  /** Removes a directory, given by its absolute path. */
  static removing(directory: string): Guard {
    return new Guard(REMOVE, directory);
  }

  static unmounting(directory: string): Guard {
    return new Guard(UNMOUNT, directory);
  }

  /** It was undone otherwise, or shall stay. */
  [Symbol.dispose](): void {
    this.#shell.kill('SIGKILL');
  }
}
