/** What something writes to standard output and standard error while it runs, kept from the terminal. */
import { vi } from 'vitest';

export interface Written {
  readonly out: string;
  readonly err: string;
}

export async function captureOutput(action: () => Promise<unknown>): Promise<Written> {
  const written = { out: '', err: '' };
  const capture = (key: 'out' | 'err') => (chunk: unknown) => {
    written[key] += String(chunk);
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(capture('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(capture('err')),
  ];
  try {
    await action();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return written;
}
