/**
 * What is to go wrong, where, and how often. A place is the name of a step, or one of those that belong to the
 * connection: `connect`, `prelogin`, `login`, `settings` (what the driver sends after the login), `insert bulk #stage`
 * (the statement before the rows) and `rows #stage` (the rows themselves).
 *
 *   request arrives ─▶ step 1 ─▶ step 2 ─▶ … ─▶ answer
 *                    ▲before   ▲before           ▲answer: all done, nothing told
 *                       after▲    after▲           torn: told by half
 */
import { SqlError } from './sql-error.ts';

export type Deed =
  /** Cuts the connection. `torn` ends inside a token of the answer, `cut-packet` even inside a packet. */
  | { readonly do: 'drop'; readonly when: 'before' | 'after' | 'answer' | 'torn' | 'cut-packet' }
  /** Only at the rows of a bulk load: cuts the connection when so many have arrived. */
  | { readonly do: 'drop'; readonly when: 'rows'; readonly rows: number }
  | { readonly do: 'error'; readonly number: number; readonly message?: string; readonly severity?: number }
  /** The rows with this value in this column are refused; the place must be the step that inserts them. */
  | { readonly do: 'refuse-rows'; readonly number: number; readonly column: string; readonly value: string | number }
  | { readonly do: 'wait'; readonly ms: number }
  /** Never comes to an end, but lets itself be cancelled. */
  | { readonly do: 'hang' }
  /** From here on this connection says nothing at all, not even to a cancellation. */
  | { readonly do: 'mute' };

export type Fault = Deed & {
  readonly at: string;
  /** How often; Infinity until it is taken back. Default 1. */
  readonly times?: number;
  /** So many times it passes first. Default 0. */
  readonly skip?: number;
};

export type Moment = 'before' | 'after' | 'answer' | 'rows';

/** The connection is to be cut, after these bytes of the answer. */
export class Dropped extends Error {
  readonly torn: 'torn' | 'cut-packet' | undefined;

  constructor(torn?: 'torn' | 'cut-packet') {
    super('dropped by a fault');
    this.torn = torn;
  }
}

export class Muted extends Error {}

/** All was told; the server ends the connection. */
export class Ended extends Error {}

/** A person or a deadline gave the request up, or its connection has gone. */
export class Cancelled extends Error {}

interface Armed {
  readonly fault: Fault;
  skip: number;
  times: number;
}

export class Faults {
  readonly #armed: Armed[] = [];
  #struck = 0;

  add(fault: Fault): void {
    this.#armed.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 });
  }

  clear(): void {
    this.#armed.length = 0;
  }

  /** How many faults have struck so far. */
  get struck(): number {
    return this.#struck;
  }

  /** Faults that are still to come. */
  get left(): number {
    return this.#armed.filter(({ times }) => Number.isFinite(times)).length;
  }

  /** Passes a place: goes on, waits, or throws. */
  async pass(at: string | readonly string[], moment: Moment, signal: AbortSignal): Promise<void> {
    for (const fault of this.#due(at, (deed) => momentOf(deed) === moment)) {
      switch (fault.do) {
        case 'drop':
          throw new Dropped(fault.when === 'torn' || fault.when === 'cut-packet' ? fault.when : undefined);
        case 'error':
          throw new SqlError(fault.number, fault.message, fault.severity);
        case 'wait':
          await wait(fault.ms, signal);
          break;
        case 'hang':
          await wait(Number.POSITIVE_INFINITY, signal);
          break;
        case 'mute':
          throw new Muted();
      }
    }
  }

  /** After how many rows of a bulk load the connection is to be cut. */
  rowsBeforeDrop(at: string): number | undefined {
    for (const fault of this.#due(at, (deed) => momentOf(deed) === 'rows')) {
      if (fault.do === 'drop' && fault.when === 'rows') return fault.rows;
    }
    return undefined;
  }

  /** Throws if one of these rows is to be refused; such a fault strikes only where it finds its row. */
  judge(at: string, rows: () => Iterable<Readonly<Record<string, unknown>>>): void {
    for (const armed of [...this.#armed]) {
      const { fault } = armed;
      if (fault.at !== at || fault.do !== 'refuse-rows') continue;
      for (const row of rows()) {
        if (String(row[fault.column]) !== String(fault.value)) continue;
        this.#strike(armed);
        throw new SqlError(fault.number);
      }
    }
  }

  *#due(at: string | readonly string[], matches: (deed: Deed) => boolean): Iterable<Fault> {
    for (const armed of [...this.#armed]) {
      const here = typeof at === 'string' ? armed.fault.at === at : at.includes(armed.fault.at);
      if (!here || !matches(armed.fault)) continue;
      if (armed.skip > 0) {
        armed.skip--;
        continue;
      }
      this.#strike(armed);
      yield armed.fault;
    }
  }

  #strike(armed: Armed): void {
    this.#struck++;
    armed.times--;
    if (armed.times <= 0) this.#armed.splice(this.#armed.indexOf(armed), 1);
  }
}

function momentOf(deed: Deed): Moment | undefined {
  if (deed.do === 'refuse-rows') return undefined;
  if (deed.do !== 'drop') return 'before';
  return deed.when === 'torn' || deed.when === 'cut-packet' ? 'answer' : deed.when;
}

export function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Cancelled());
    const timer = Number.isFinite(ms) ? setTimeout(ended, ms) : undefined;
    const cancelled = () => {
      clearTimeout(timer);
      reject(new Cancelled());
    };
    function ended() {
      signal.removeEventListener('abort', cancelled);
      resolve();
    }
    signal.addEventListener('abort', cancelled, { once: true });
  });
}
