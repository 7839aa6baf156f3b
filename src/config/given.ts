/** A value that was given for a setting, before it is checked, with where it came from. */
import type { SettingEntry } from './catalog.ts';

export interface SettingSource {
  readonly kind: 'flag' | 'environment' | 'file' | 'credential' | 'default';
  /** `--spool.path`, `HOSTSPOOL_SPOOL_PATH`, `/etc/hostspool/hostspool.yaml:12`, what a default was derived from. */
  readonly name: string;
}

export interface GivenValue {
  readonly setting: SettingEntry;
  /** What is parsed: text, or a list of texts. A secret's file was already read. */
  readonly value: unknown;
  readonly source: SettingSource;
  /** For an error message: the source's name, with the column where there is one. */
  readonly origin: string;
}

/** What one source of settings answers. */
export interface Given {
  readonly values: readonly GivenValue[];
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}
