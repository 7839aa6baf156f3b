/**
 * A process with a spool of its own, for tests that need a real one: to be killed, to be refused, to run as somebody.
 *
 *   spool-process.ts append PATH   appends without end; prints `RUN SEQ` for each sample that is stored
 *   spool-process.ts hold PATH     opens the spool, prints `held`, and waits
 *   spool-process.ts try PATH      opens and closes it; prints `ok`, or the code and the message of the refusal
 */
import { writeSync } from 'node:fs';
import { SystemClock } from '../../src/lib/clock.ts';
import { HostspoolError } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import { Spool } from '../../src/spool/spool.ts';

const [action, path] = process.argv.slice(2);

function open(): Spool {
  return Spool.open({
    path: path ?? '',
    maxBytes: 64 * 1024 * 1024,
    maxAge: 86_400_000,
    minFree: { bytes: 0 },
    synchronous: 'normal',
    hostname: 'child',
    interval: 100,
    version: '0.0.0',
    purpose: 'agent',
    clock: new SystemClock(),
    log: silentLog,
  });
}

/** Synchronously: what is printed has been printed when the process dies in the next instruction. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function append(): void {
  const spool = open();
  say(`${spool.runId} 0`);
  for (;;) {
    const identity = spool.identify();
    const payload = JSON.stringify({ hostname: 'child', ...identity, pad: 'x'.repeat(identity.seq % 900) });
    if (spool.append(identity, Date.now(), payload)) say(`${identity.run_id} ${identity.seq}`);
    if (identity.seq % 50 === 0) {
      const batch = spool.read({ samples: 20, bytes: 1e6 });
      const last = batch.at(-1);
      if (last !== undefined) {
        // Said before it is deleted: from here on it counts as delivered.
        say(`acknowledged ${batch.map((sample) => `${sample.identity.run_id}/${sample.identity.seq}`).join(' ')}`);
        spool.acknowledge(last.id, []);
      }
    }
  }
}

function attempt(): void {
  try {
    open().close(true);
    say('ok');
  } catch (error) {
    if (!(error instanceof HostspoolError)) throw error;
    say(`${error.code} ${error.message} | ${error.hint}`);
  }
}

if (action === 'append') append();
if (action === 'try') attempt();
if (action === 'hold') {
  const held = open();
  say('held');
  // What nobody refers to is collected, and the lock goes with it.
  setInterval(() => held.depth, 60_000);
}
