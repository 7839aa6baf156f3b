/**
 * What the rooms below `ops` log through: the subset of pino's interface they need. Fields, not prose; each line has
 * a stable `event` name. Levels: `error` data was lost or a person must act; `warn` recovered, or backing off; `info`
 * a change of state, never per sample; `debug` the rest.
 */
export interface LogFields {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Log {
  debug(fields: LogFields, message?: string): void;
  info(fields: LogFields, message?: string): void;
  warn(fields: LogFields, message?: string): void;
  error(fields: LogFields, message?: string): void;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
