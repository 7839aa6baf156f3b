/**
 * What the host is called.
 *
 * A process on the host asks the kernel. One in a container can't: every way to ask (uname, the sysctl, also through a
 * /proc that is the host's) answers with the name of the asker's own namespace, which a container engine makes up anew
 * for each container. There the file says it in which the host keeps its name.
 */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { readSmallFile } from './files.ts';

const NAME_FILE_LIMIT = 64 * 1024;

/** The name of the host whose root filesystem is at `hostRoot`; '' where none can be found. */
export function hostnameAt(hostRoot: string): string {
  if (hostRoot === '/') return hostname();
  const file = readSmallFile(join(hostRoot, 'etc/hostname'), NAME_FILE_LIMIT);
  return 'text' in file ? nameIn(file.text) : '';
}

/** The first line that is neither empty nor a comment, as hostname(5) has it. */
function nameIn(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.find((line) => line !== '' && !line.startsWith('#')) ?? '';
}
