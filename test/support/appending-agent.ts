/**
 * A process that works on a spool as an agent does: appends, acknowledges now and then, keeps the file in shape.
 * One JSON line on standard output when it has begun and one for each hundred appends. Ends in order on SIGTERM.
 *
 *   node appending-agent.ts PATH [purpose] [group]
 */
import { SystemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { Spool } from '../../src/spool/spool.ts';

const [path = '', purpose = 'agent', group = ''] = process.argv.slice(2);
const spool = Spool.open({
  path,
  maxBytes: 64 * 1024 * 1024,
  maxAge: 86_400_000,
  minFree: { bytes: 0 },
  synchronous: 'normal',
  ...(group === '' ? {} : { group }),
  hostname: 'web-01',
  interval: 1000,
  version: '1.2.3',
  purpose: purpose === 'drain' ? 'drain' : 'agent',
  clock: new SystemClock(),
  log: silentLog,
});

const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
let appended = 0;
let refused = 0;
let slowest = 0;

function work(): void {
  for (let n = 0; n < 100; n++) {
    const began = performance.now();
    if (spool.append(spool.identify(), Date.now(), 'x'.repeat(700))) appended++;
    else refused++;
    slowest = Math.max(slowest, performance.now() - began);
  }
  if (spool.depth > 1000) {
    const last = spool.read({ samples: 500, bytes: 1e9 }).at(-1);
    if (last !== undefined) spool.acknowledge(last.id, []);
  }
  spool.maintain();
  say({ appended, refused, slowest, runId: spool.runId });
  setImmediate(work);
}

process.on('SIGTERM', () => {
  spool.close(true);
  process.exit(0);
});
say({ appended, refused, slowest, runId: spool.runId });
if (purpose === 'agent') setImmediate(work);
else setInterval(() => undefined, 1000);
