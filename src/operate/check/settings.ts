/** The settings: whether the mode starts with them. Everything else goes by them, so without them nothing is checked. */
import { type LoadedSettings, requireFor } from '../../config/load.ts';
import { asError, HostspoolError } from '../../lib/errors.ts';
import { failure, type Outcome, ok } from './check.ts';

export interface SettingsVerdict {
  readonly outcome: Outcome;
  /** undefined: they can't be gone by. */
  readonly loaded: LoadedSettings | undefined;
}

/** `load` throws what is wrong with them. */
export function checkSettings(load: () => LoadedSettings): SettingsVerdict {
  try {
    const loaded = load();
    requireFor(loaded.settings.mode, loaded.settings);
    return { outcome: outcomeOf(loaded), loaded };
  } catch (error) {
    // The command line itself is wrong: that is no finding about this host.
    if (!(error instanceof HostspoolError) || error.code === 'USAGE') throw asError(error);
    return { outcome: failure(error), loaded: undefined };
  }
}

function outcomeOf({ settings, warnings, file }: LoadedSettings): Outcome {
  const detail = { mode: settings.mode, file: file ?? null, warnings };
  if (warnings.length === 0) return ok(file === undefined ? 'no settings file is read' : `${file}`, detail);
  return {
    state: 'warning',
    code: 'SETTINGS_DOUBTFUL',
    finding: warnings.join('; '),
    hint: 'hostspool config shows what is set, and where',
    detail,
  };
}
