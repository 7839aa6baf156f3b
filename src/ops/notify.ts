/**
 * Speaking to the service manager that started this process (sd_notify): one datagram a message, to the socket named
 * in NOTIFY_SOCKET. Without that variable there is nobody to speak to, and nothing of this is loaded.
 *
 * The datagram is sent by a small addon in the executable (notify.c beside this file): Node can't. An executable that was built
 * without a compiler has none, which is told once.
 */
import { isSea } from 'node:sea';
import { NOTIFY_ASSET } from '../lib/assets.ts';
import { loadEmbeddedAddon } from '../lib/embedded-addon.ts';
import { asError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';

/** What sends a text to the path of a socket; answers 0 or an errno. */
export type SendDatagram = (path: string, text: string) => number;

export interface NotifyChannel {
  /** Sends assignments, a line each; answers whether they went out. */
  send(fields: Readonly<Record<string, string>>): boolean;
  /** Within how many ms the manager wants to hear of the watchdog; undefined where it does not. */
  readonly watchdogMs: number | undefined;
}

/** The channel that the environment names; undefined where there is none. `load` is for tests. */
export function openNotifyChannel(
  env: NodeJS.ProcessEnv,
  log: Log,
  load: () => SendDatagram = loadSender,
): NotifyChannel | undefined {
  const path = env.NOTIFY_SOCKET;
  if (path === undefined || path === '') return undefined;
  let sendDatagram: SendDatagram;
  try {
    // Other kinds of address (vsock:) are those of whole machines.
    if (!/^[/@]./.test(path)) throw new Error(`${path} is no path of a socket`);
    sendDatagram = load();
  } catch (error) {
    log.warn({ event: 'notify_unavailable', err: asError(error) }, 'the service manager will not hear of this process');
    return undefined;
  }
  return {
    watchdogMs: watchdogOf(env),
    send: (fields) => sendDatagram(path, encode(fields)) === 0,
  };
}

function loadSender(): SendDatagram {
  return loadSystemCalls().notify;
}

interface SystemCalls {
  readonly notify: SendDatagram;
  /** Gives back free memory of the C library, and pages of files that this process has not written. */
  trim(): void;
}

/** What notify.c has; throws in an executable that was built without a compiler. */
export function loadSystemCalls(): SystemCalls {
  if (!isSea()) throw new Error('only the built executable can');
  return loadEmbeddedAddon(NOTIFY_ASSET, 'system calls') as SystemCalls;
}

/** A line break would begin another assignment. */
function encode(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value.replaceAll(/\p{Cc}+/gu, ' ').slice(0, TEXT_LIMIT)}`)
    .join('\n');
}

const TEXT_LIMIT = 400;

/** WATCHDOG_PID names the process that is meant; a child that inherited the variables is not. */
function watchdogOf({ WATCHDOG_USEC: usec, WATCHDOG_PID: pid }: NodeJS.ProcessEnv): number | undefined {
  if (usec === undefined || !/^[1-9]\d*$/.test(usec)) return undefined;
  if (pid !== undefined && pid !== '' && pid !== String(process.pid)) return undefined;
  return Number(usec) / 1000;
}
