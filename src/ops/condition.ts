/**
 * How a service is, in the three answers that whoever watches it needs. Each list holds sentences for a person; all of
 * them empty is well.
 *
 *   /health/live    is it worth restarting?   503 when the work itself stands still
 *   /health/ready   has it begun its work?    503 also while it has not, or can't do it
 *   /health         does it do its work?      503 when it does not; 200 and `degraded` while it does, with trouble
 */
export interface Condition {
  /**
   * What should have moved by itself long ago and has not: a new process may mend it. What only waits for a server that
   * is away is not stuck. The watchdog of a service manager is fed by this being empty.
   */
  readonly stuck: readonly string[];
  /** The work is not done. */
  readonly failed: readonly string[];
  /** It is done, or put off without loss, and something is not as it should be. */
  readonly degraded: readonly string[];
  /** It has not begun. */
  readonly unready: readonly string[];
}

export type HealthQuestion = 'live' | 'ready' | 'health';

export interface HealthAnswer {
  readonly status: 'ok' | 'degraded' | 'failed';
  readonly reasons: readonly string[];
}

export function answerTo(question: HealthQuestion, { stuck, failed, degraded, unready }: Condition): HealthAnswer {
  if (question === 'live') return { status: stuck.length > 0 ? 'failed' : 'ok', reasons: stuck };
  const against = [...stuck, ...failed, ...(question === 'ready' ? unready : [])];
  if (against.length > 0) return { status: 'failed', reasons: [...against, ...degraded] };
  const concerns = [...degraded, ...(question === 'health' ? unready : [])];
  return { status: concerns.length > 0 ? 'degraded' : 'ok', reasons: concerns };
}
