/**
 * The endpoint for health and metrics. Nothing of it stops a start: a taken address is tried again, so all of it is a
 * warning. The address is listened on for a moment; while a running hostspool has it, that is as it should be.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createServer } from 'node:net';
import type { ResolvedSettings } from '../../config/load.ts';
import { errorCode, HostspoolError } from '../../lib/errors.ts';
import { readPem } from '../../lib/pem-file.ts';
import { splitAddress } from '../../lib/reach.ts';
import { spoolFiles } from '../../spool/files.ts';
import { findHolder } from '../../spool/holder.ts';
import { fileTimeLeft } from './certificate-time.ts';
import { type Check, failure, type Outcome, ok, warning } from './check.ts';
import { type CheckContext, FILE_LIMIT_MS } from './context.ts';
import { nearestDirectory } from './nearest-directory.ts';

export function httpCheck({ settings, clock }: CheckContext): Check {
  const { http, mode, spool } = settings;
  return {
    name: 'http',
    limit: FILE_LIMIT_MS,
    waitsFor: `listening on ${http.address}`,
    run: async () => {
      if (http.address === '') return ok('off');
      const certificate = checkFiles(http.tls, clock.now());
      if (certificate !== undefined && certificate.state !== 'ok') return certificate;
      const running = mode !== 'writer' && (await isHeld(spool.path));
      const listening = await checkAddress(http.address, running);
      const words = certificate === undefined ? '' : `, ${certificate.finding}`;
      return { ...listening, finding: `${listening.finding}${words}`, detail: { ...certificate?.detail } };
    },
  };
}

/** What is wrong with the spool, its own check says. */
async function isHeld(path: string): Promise<boolean> {
  try {
    await nearestDirectory(path);
  } catch {
    return false;
  }
  return findHolder(spoolFiles(path), undefined).held;
}

/** undefined: it speaks plain HTTP. */
function checkFiles({ cert, key }: ResolvedSettings['http']['tls'], now: number): Outcome | undefined {
  if (cert === undefined || key === undefined) return undefined;
  try {
    const pem = readPem('certificate', 'http.tls.cert', cert, 'HTTP_TLS_FILE');
    if (
      !new X509Certificate(pem).checkPrivateKey(createPrivateKey(readPem('key', 'http.tls.key', key, 'HTTP_TLS_FILE')))
    ) {
      throw new HostspoolError('HTTP_TLS_FILE', `http.tls.key (${key}) is not the key of http.tls.cert (${cert})`, {
        hint: 'the key must be the one that the certificate was made for',
      });
    }
    const left = fileTimeLeft('shown', pem, now);
    if (left === undefined) return undefined;
    const { isSoon, words, detail } = left;
    if (!isSoon) return ok(`certificate ${words}`, detail);
    return warning('HTTP_TLS_EXPIRES', `http.tls.cert is valid ${words}`, 'renew it, then SIGHUP', detail);
  } catch (error) {
    return { ...failure(error), state: 'warning' };
  }
}

async function checkAddress(address: string, running: boolean): Promise<Outcome> {
  try {
    await listenOnce(address);
    return ok(`${address} is free`);
  } catch (error) {
    const code = errorCode(error) ?? '';
    if (code === 'EADDRINUSE' && running) return ok(`${address} is in use, by the agent that runs, it seems`);
    if (code === 'EADDRINUSE') {
      const hint = 'a hostspool that runs already, perhaps; else give this one another http.address, or none';
      return warning('HTTP_ADDRESS_IN_USE', `${address} is in use by another process`, hint);
    }
    const hint = 'set http.address to an address of this machine and a port that this user may open';
    return warning('HTTP_LISTEN', `${address} can't be listened on (${code})`, hint);
  }
}

function listenOnce(address: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const server = createServer((socket) => void socket.destroy());
  server.once('error', reject);
  server.listen({ ...splitAddress(address), exclusive: true }, () => server.close(() => resolve()));
  return promise;
}
