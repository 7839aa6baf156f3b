/**
 * Who may read the spool: its owner, and the members of one group where `spool.group` is set. Samples tell what a host
 * does all day, so nobody else, whatever the umask.
 *
 * The modes are set on the open file, not left to creation. SQLite gives its side files the mode of the database but,
 * unless it runs as root, not its group; so they are set again once they are there. Files of a spool that root opens
 * (`sudo hostspool drain`) keep belonging to the spool's owner, or the agent could not open them afterwards.
 */
import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectories } from '../lib/directories.ts';
import { HostspoolError } from '../lib/errors.ts';
import type { SpoolFiles } from './files.ts';
import { refusal } from './refusal.ts';

export class Permissions {
  readonly #files: SpoolFiles;
  readonly #gid: number | undefined;
  readonly #self = process.geteuid?.() ?? 0;

  /** Throws SPOOL_GROUP if the group is not known. */
  constructor(files: SpoolFiles, group: string | undefined) {
    this.#files = files;
    this.#gid = group === undefined ? undefined : groupId(group);
  }

  get fileMode(): number {
    return this.#gid === undefined ? 0o600 : 0o640;
  }

  /**
   * Makes the directory if it is missing, and makes sure that this process may work in it and on every file that is
   * already there. Throws SPOOL_PERMISSION or SPOOL_READ_ONLY.
   */
  prepare(): void {
    const directory = dirname(this.#files.database);
    this.#refused(directory, () => {
      // What making it would say of a read-only filesystem depends on how deep it lies.
      accessSync(nearestExisting(directory), constants.W_OK | constants.X_OK);
      const made = makeDirectories(directory, 0o700);
      if (made !== undefined) this.#secureDirectories(directory, made);
      accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    });
    for (const file of Object.values(this.#files)) this.#checkFile(file);
    this.secure();
  }

  /** Throws what `prepare` would throw, and changes nothing. */
  inspect(): void {
    const directory = dirname(this.#files.database);
    const nearest = nearestExisting(directory);
    this.#refused(nearest, () => {
      // With the dot the system says of a file that it is no directory.
      accessSync(`${nearest}/.`, constants.W_OK | constants.X_OK);
      if (nearest === directory) accessSync(directory, constants.R_OK);
    });
    for (const file of Object.values(this.#files)) this.#checkFile(file);
  }

  /** Makes the database file, empty, if it is missing: SQLite would make it with another mode. */
  create(): void {
    const { database } = this.#files;
    if (existsSync(database)) return;
    this.#refused(database, () => {
      closeSync(openSync(database, constants.O_RDWR | constants.O_CREAT, this.fileMode));
      if (this.#self === 0) chownSync(database, statSync(dirname(database)).uid, process.getegid?.() ?? 0);
    });
    this.secure();
  }

  /** Sets mode and owner of every file of the spool that is there. */
  secure(): void {
    const owner = statSync(this.#files.database, { throwIfNoEntry: false });
    const uid = this.#self === 0 ? owner?.uid : undefined;
    for (const file of Object.values(this.#files)) this.#secureFile(file, uid);
  }

  #secureFile(file: string, uid: number | undefined): void {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) return;
    const wanted = { uid: uid ?? found.uid, gid: this.#gid ?? found.gid };
    this.#refused(file, () => {
      if (wanted.uid !== found.uid || wanted.gid !== found.gid) chownSync(file, wanted.uid, wanted.gid);
      if ((found.mode & 0o7777) !== this.fileMode) chmodSync(file, this.fileMode);
    });
  }

  #secureDirectories(leaf: string, made: string): void {
    for (let directory = leaf; ; directory = dirname(directory)) {
      if (this.#gid !== undefined) chownSync(directory, this.#self, this.#gid);
      chmodSync(directory, this.#gid === undefined ? 0o700 : 0o750);
      if (directory === made || directory === dirname(directory)) return;
    }
  }

  #checkFile(file: string): void {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) return;
    if (!found.isFile()) {
      throw new HostspoolError('SPOOL_PERMISSION', `${file} is in the way: it is not a file`, {
        hint: 'move it away, or set spool.path to another place',
      });
    }
    if (this.#self !== 0 && found.uid !== this.#self) {
      throw new HostspoolError(
        'SPOOL_PERMISSION',
        `${file} belongs to uid ${found.uid}, and this process runs as uid ${this.#self}`,
        { hint: `run hostspool as the owner, or give it the file: chown ${this.#self} ${file}` },
      );
    }
    this.#refused(file, () => accessSync(file, constants.R_OK | constants.W_OK));
  }

  #refused(path: string, action: () => void): void {
    try {
      action();
    } catch (error) {
      throw refusal(path, error) ?? error;
    }
  }
}

function nearestExisting(directory: string): string {
  let nearest = directory;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  return nearest;
}

/** The number of a group, given by name or number. */
function groupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  const lines = readFileSync('/etc/group', 'utf8').split('\n');
  const entry = lines.map((line) => line.split(':')).find(([name]) => name === group);
  if (entry?.[2] !== undefined && /^\d+$/.test(entry[2])) return Number(entry[2]);
  throw new HostspoolError('SPOOL_GROUP', `spool.group: there is no group ${group} in /etc/group`, {
    hint: 'make the group, or give its number if it comes from a directory service',
  });
}
