import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../../src/sample/decode.ts';
import { hostChanges } from '../../../src/sink/host-changes.ts';
import { BEGAN, message } from './a-load.ts';

const at = (seconds: number) => BEGAN + seconds * 1000;

describe('what a load tells about a host', () => {
  it('is what its newest sample says', () => {
    const samples = [message(1, 2), message(1, 3), message(1, 1)].map((text) => decodeMessage(text));
    expect(hostChanges(samples, [])).toMatchObject([
      { hostname: 'host-1', first_seen: at(1), last_seen: at(3), spool_depth: 3 },
    ]);
  });

  it('goes by when a sample was sent where its own time lies behind that, so that the host can fall silent', () => {
    const ahead = decodeMessage(message(1, 1, { timestamp: '2090-01-01T00:00:00Z' }));
    const right = decodeMessage(message(1, 2));
    expect(hostChanges([ahead], [], [at(1)])).toMatchObject([{ first_seen: at(1), last_seen: at(1) }]);
    expect(hostChanges([ahead, right], [], [at(1), at(9)])).toMatchObject([{ last_seen: at(2), spool_depth: 2 }]);
  });

  it('is not moved by when a late sample was sent', () => {
    const late = decodeMessage(message(1, 5));
    expect(hostChanges([late], [], [at(5000)])).toMatchObject([{ last_seen: at(5) }]);
  });
});
