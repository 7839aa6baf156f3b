/** The one lock of the double: transactions of two connections stand in line. */
import { Cancelled } from './faults.ts';
import { SqlError } from './sql-error.ts';

export class Lock {
  #holder: object | undefined;
  readonly #waiting: { readonly owner: object; readonly granted: () => void }[] = [];

  holds(owner: object): boolean {
    return this.#holder === owner;
  }

  /** `timeout` in ms; less than 0 waits for ever, as LOCK_TIMEOUT does. */
  async acquire(owner: object, timeout: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new Cancelled();
    if (this.#holder === owner) return;
    if (this.#holder === undefined) {
      this.#holder = owner;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const leave = (error: Error) => {
        const index = this.#waiting.indexOf(entry);
        if (index >= 0) this.#waiting.splice(index, 1);
        clean();
        reject(error);
      };
      const cancelled = () => leave(new Cancelled());
      const timer = timeout < 0 ? undefined : setTimeout(() => leave(new SqlError(1222)), timeout);
      const clean = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', cancelled);
      };
      const granted = () => {
        clean();
        resolve();
      };
      const entry = { owner, granted };
      this.#waiting.push(entry);
      signal.addEventListener('abort', cancelled, { once: true });
    });
  }

  release(owner: object): void {
    if (this.#holder !== owner) return;
    const next = this.#waiting.shift();
    this.#holder = next?.owner;
    next?.granted();
  }

  /** As somebody else who has the tables locked; release by the function returned. */
  async take(): Promise<() => void> {
    const owner = {};
    await this.acquire(owner, -1, new AbortController().signal);
    return () => this.release(owner);
  }
}
