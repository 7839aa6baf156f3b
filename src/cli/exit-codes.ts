/**
 * What a process ends with. `hostspool status` has the four codes of monitoring plug-ins instead; both are documented
 * in docs/errors.md.
 */
import { HostspoolError } from '../lib/errors.ts';

export const EXIT = {
  ok: 0,
  failed: 1,
  /** The command line or the settings are wrong: trying again changes nothing. */
  usage: 2,
  /** Another process holds the spool, or there is none; writers still read; `migrate --status`: migrations are missing. */
  refused: 3,
} as const;

const USAGE_CODES: ReadonlySet<string> = new Set([
  'USAGE',
  'SETTINGS_INVALID',
  'KAFKA_BROKERS_MISSING',
  'KAFKA_TLS_FILE',
  'KAFKA_SASL_SETTINGS',
  'COLLECT_HOST_ROOT',
  'SPOOL_GROUP',
  'SPOOL_FOREIGN',
  'HEALTH_ADDRESS',
  'SINK_SETTINGS',
  'SINK_TLS_FILE',
]);
const REFUSED_CODES: ReadonlySet<string> = new Set(['SPOOL_LOCKED', 'SPOOL_MISSING', 'KAFKA_GROUP_ACTIVE']);

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof HostspoolError)) return EXIT.failed;
  if (USAGE_CODES.has(error.code)) return EXIT.usage;
  return REFUSED_CODES.has(error.code) ? EXIT.refused : EXIT.failed;
}
