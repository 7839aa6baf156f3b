/**
 * kafkajs' log lines, as ours.
 *
 * All of them go to `debug`: whatever fails also rejects the call that asked for it, and whoever owns the retry logs
 * that once, with the next wait. Only fields named here pass, so neither a request's bytes nor a login ever does.
 */
import type { LogEntry } from 'kafkajs';
import { LEVELS } from 'kafkajs/src/loggers/index.js';
import type { Log, LogFields } from '../lib/log.ts';

const FIELDS = ['broker', 'error', 'groupId', 'memberId', 'topic', 'partition', 'retryCount', 'correlationId'] as const;

/** Above it kafkajs does not even compose the line. */
export const KAFKAJS_LOG_LEVEL = LEVELS.INFO;

/** A log creator for kafkajs; `observe` also sees each entry, for what kafkajs tells only its log. */
export function kafkajsLog(log: Log, observe?: (entry: LogEntry) => void): () => (entry: LogEntry) => void {
  return () => (entry) => {
    // Its own environment variable can make kafkajs chattier than asked: requests and responses whole.
    if (entry.level > KAFKAJS_LOG_LEVEL) return;
    const fields: Record<string, unknown> & LogFields = {
      event: 'kafkajs',
      kafkajs_level: entry.label.toLowerCase(),
      namespace: entry.namespace,
    };
    for (const name of FIELDS) {
      if (entry.log[name] !== undefined) fields[name] = entry.log[name];
    }
    log.debug(fields, entry.log.message);
    observe?.(entry);
  };
}
