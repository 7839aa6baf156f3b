/** What becomes of what a harness has started and made when it is killed, and when a person stops it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';

const support = join(import.meta.dirname, '../../support');
const directory = mkdtempSync(join(tmpdir(), 'hostspool-test-'));
const harnesses: ChildProcess[] = [];

/** A program that has `body` in it; it prints a line when all is ready, and waits. */
function harness(body: string): { readonly child: ChildProcess; readonly lines: Interface } {
  const program = `
    import { Guard } from '${support}/guard.ts';
    import { TdsProcess } from '${support}/tds/process.ts';
    import { stopSignal } from '${support}/two-signals.ts';
    setInterval(() => undefined, 60_000);
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  harnesses.push(child);
  return { child, lines: createInterface({ input: child.stdout as NodeJS.ReadableStream }) };
}

async function lineOf(lines: Interface): Promise<string> {
  const [line] = await once(lines, 'line');
  return String(line);
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

afterEach(() => {
  for (const child of harnesses.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

describe('with a harness that is killed', () => {
  it('goes what it had guarded, and stays what it had called the guard off', async () => {
    const [goes, stays] = [join(directory, 'goes'), join(directory, 'stays')];
    for (const made of [goes, stays]) {
      mkdirSync(made, { recursive: true });
      writeFileSync(join(made, 'file'), '');
    }
    const { child, lines } = harness(`
      Guard.removing('${stays}')[Symbol.dispose]();
      Guard.removing('${goes}');
      console.log('ready');`);
    await lineOf(lines);
    child.kill('SIGKILL');
    await expect.poll(() => existsSync(goes)).toBe(false);
    expect(existsSync(join(stays, 'file'))).toBe(true);
  });

  it('ends the TDS double, which a Ctrl-C at its terminal does not reach', async () => {
    const { child, lines } = harness(`
      const double = await TdsProcess.start({ directory: '${directory}' });
      console.log(double.pid);`);
    const pid = Number(await lineOf(lines));
    // A terminal sends it to its foreground group: only who leads a group of its own can be signalled by its pid so.
    expect(() => process.kill(-pid, 0)).not.toThrow();
    child.kill('SIGKILL');
    await expect.poll(() => isThere(pid)).toBe(false);
  });
});

describe('a person who stops a harness', () => {
  it('is heard once, and at the second time it ends at once', async () => {
    const { child, lines } = harness(`
      const stop = stopSignal({ first: () => console.log('first'), second: () => console.log('second') });
      console.log('ready');`);
    await lineOf(lines);
    const exited = once(child, 'exit');
    const told: string[] = [];
    lines.on('line', (line) => told.push(line));
    child.kill('SIGINT');
    await expect.poll(() => told).toEqual(['first']);
    // What comes with the first is the same Ctrl-C, so it takes more than one here.
    const again = setInterval(() => child.kill('SIGTERM'), 50);
    const [code] = await exited;
    clearInterval(again);
    await expect.poll(() => told).toEqual(['first', 'second']);
    expect(code).toBe(130);
  });
});
