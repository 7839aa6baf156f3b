/**
 * A program that dies with the process that starts it, however that one ends: the kernel kills it then (util-linux'
 * setpriv asks for that and becomes the program, so its pid is the program's). Where there is no setpriv it is started
 * as it is.
 */
import { existsSync } from 'node:fs';

const SETPRIV = '/usr/bin/setpriv';

/** Whether `tied` can tie: what it cannot should stay in the terminal's group, and go with a Ctrl-C. */
export const canTie = existsSync(SETPRIV);

/** The program, by its absolute path, and what comes before its arguments. */
export function tied(program: string): [string, ...string[]] {
  return canTie ? [SETPRIV, '--pdeathsig', 'KILL', program] : [program];
}
