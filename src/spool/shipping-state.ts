/** How shipping goes, kept in the spool so that `--status` can tell it from the file alone. */
export interface ShippingState {
  state: 'idle' | 'shipping' | 'backing_off' | 'stopped';
  /** Samples acknowledged since the spool was made; goes on over restarts. */
  shipped_total: number;
  /** ISO 8601. */
  last_ack_at: string | null;
  last_error: string | null;
  /** Attempts failed since the last success. */
  failures: number;
  /** ISO 8601. */
  next_attempt_at: string | null;
  samples_per_second_out: number;
}

export const NEVER_SHIPPED: ShippingState = {
  state: 'stopped',
  shipped_total: 0,
  last_ack_at: null,
  last_error: null,
  failures: 0,
  next_attempt_at: null,
  samples_per_second_out: 0,
};

/** The state as saved; what is missing or of another type is as if it never shipped. */
export function parseShippingState(saved: string | undefined): ShippingState {
  let fields: unknown;
  try {
    fields = JSON.parse(saved ?? '{}');
  } catch {
    return { ...NEVER_SHIPPED };
  }
  if (typeof fields !== 'object' || fields === null) return { ...NEVER_SHIPPED };
  const given = fields as Readonly<Record<string, unknown>>;
  const text = (key: string): string | null => (typeof given[key] === 'string' ? given[key] : null);
  const count = (key: string): number => (Number.isFinite(given[key]) ? (given[key] as number) : 0);
  const states = ['idle', 'shipping', 'backing_off', 'stopped'] as const;
  return {
    state: states.find((state) => state === given.state) ?? 'stopped',
    shipped_total: count('shipped_total'),
    last_ack_at: text('last_ack_at'),
    last_error: text('last_error'),
    failures: count('failures'),
    next_attempt_at: text('next_attempt_at'),
    samples_per_second_out: count('samples_per_second_out'),
  };
}
