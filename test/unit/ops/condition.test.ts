import { describe, expect, it } from 'vitest';
import { answerTo, type Condition } from '../../../src/ops/condition.ts';

const WELL: Condition = { stuck: [], failed: [], degraded: [], unready: [] };

describe('the three questions', () => {
  it('are all well with nothing against it', () => {
    for (const question of ['live', 'ready', 'health'] as const) {
      expect(answerTo(question, WELL)).toEqual({ status: 'ok', reasons: [] });
    }
  });

  it('ask for a restart only when the work stands still', () => {
    const condition = { ...WELL, failed: ['the database refuses'], degraded: ['slow'], unready: ['not in the group'] };
    expect(answerTo('live', condition).status).toBe('ok');
    expect(answerTo('live', { ...WELL, stuck: ['no tick'] })).toEqual({ status: 'failed', reasons: ['no tick'] });
  });

  it('degrade for trouble and fail for work that is not done, with every reason', () => {
    expect(answerTo('health', { ...WELL, degraded: ['Kafka is away'] })).toEqual({
      status: 'degraded',
      reasons: ['Kafka is away'],
    });
    expect(answerTo('health', { ...WELL, stuck: ['no tick'], failed: ['no sample'], degraded: ['full'] })).toEqual({
      status: 'failed',
      reasons: ['no tick', 'no sample', 'full'],
    });
  });

  it('do not call a service ready that has not begun, and do not call it ill', () => {
    const condition = { ...WELL, unready: ['no sample has been taken yet'] };
    expect(answerTo('ready', condition).status).toBe('failed');
    expect(answerTo('health', condition).status).toBe('degraded');
  });
});
