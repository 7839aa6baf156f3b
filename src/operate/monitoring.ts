/** What a command for monitoring finds: how bad, a stable code, a sentence. */
export type Severity = 'ok' | 'warning' | 'critical';

export interface Finding {
  readonly severity: 'warning' | 'critical';
  readonly code: string;
  readonly sentence: string;
}

export interface Verdict {
  readonly severity: Severity;
  /** Sentences, the worst first. */
  readonly reasons: readonly string[];
  /** In the same order. */
  readonly reason_codes: readonly string[];
}

export function verdictOf(found: readonly Finding[]): Verdict {
  const sorted = [...found].sort((one, other) => rank(one) - rank(other));
  return {
    severity: sorted[0]?.severity ?? 'ok',
    reasons: sorted.map(({ sentence }) => sentence),
    reason_codes: sorted.map(({ code }) => code),
  };
}

function rank({ severity }: Finding): number {
  return severity === 'critical' ? 0 : 1;
}

export function warning(code: string, sentence: string): Finding {
  return { severity: 'warning', code, sentence };
}

export function critical(code: string, sentence: string): Finding {
  return { severity: 'critical', code, sentence };
}
