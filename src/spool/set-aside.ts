/** Takes a damaged spool file out of the way, with its log, so that a fresh one can be made. Nothing of it is changed. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import type { RecoveryRequest } from './ports.ts';

export function setAside({ path, clock }: RecoveryRequest): void {
  const time = new Date(clock.now()).toISOString().replaceAll(/[-:.]/g, '');
  rmSync(`${path}-shm`, { force: true });
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${path}.corrupt-${time}-wal`);
  if (existsSync(path)) renameSync(path, `${path}.corrupt-${time}`);
}
