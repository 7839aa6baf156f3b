/**
 * A program that dies with the process that starts it, however that one ends: the kernel kills it then (util-linux'
 * setpriv asks for that and becomes the program, so its pid is the program's). Where there is no setpriv it is started
 * as it is, and stays in the terminal's group, to go with a Ctrl-C.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const SETPRIV = '/usr/bin/setpriv';
const canTie = existsSync(SETPRIV);

/** `program`: its absolute path. */
export function spawnTied(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const [command, ...before] = canTie ? [SETPRIV, '--pdeathsig', 'KILL', program] : [program];
  return spawn(command as string, [...before, ...args], { ...options, detached: canTie });
}
