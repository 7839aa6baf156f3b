import { describe, expect, it } from 'vitest';
import { progressView } from '../../../src/cli/progress-view.ts';
import { captureOutput } from '../../support/captured-output.ts';

const WORDS = { doing: 'draining', things: 'samples', done: 'shipped' };

describe('progress that no terminal shows', () => {
  it('is a line for every tenth of the way, and for each new reason to wait', async () => {
    const { out } = await captureOutput(async () => {
      const view = progressView(WORDS);
      for (let done = 0; done <= 100; done += 5) view.show({ total: 100, done });
      view.show({ total: 100, done: 100, error: 'no broker' });
      view.show({ total: 100, done: 100, error: 'no broker' });
      view.close();
    });
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(12);
    expect(lines[0]).toBe('0 of 100 samples shipped');
    expect(lines[10]).toBe('100 of 100 samples shipped');
    expect(lines[11]).toBe('waiting: no broker');
  });

  it('of nothing is one line', async () => {
    const { out } = await captureOutput(async () => progressView(WORDS).show({ total: 0, done: 0 }));
    expect(out).toBe('0 of 0 samples shipped\n');
  });
});
