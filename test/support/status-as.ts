/**
 * Looks at a spool as another user: everything is loaded as root, then the rights are given up.
 *
 *   node status-as.ts UID GID PATH        prints { source, depth, running, pid, hostname } or { code }
 */
import { SystemClock } from '../../src/lib/clock.ts';
import { errorCode } from '../../src/lib/errors.ts';
import { sqliteVersion } from '../../src/lib/sqlite.ts';
import { readSnapshot } from '../../src/spool/snapshot.ts';

const [uid = '', gid = '', path = ''] = process.argv.slice(2);
sqliteVersion();
process.setgroups?.([Number(gid)]);
process.setgid?.(Number(gid));
process.setuid?.(Number(uid));
try {
  const { source, queue, holder, agent } = readSnapshot(path, new SystemClock());
  const found = { source, depth: queue?.depth, held: holder.held, pid: holder.pid, hostname: agent?.hostname };
  process.stdout.write(JSON.stringify(found));
} catch (error) {
  process.stdout.write(JSON.stringify({ code: errorCode(error), message: String(error) }));
}
