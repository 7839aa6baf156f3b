/**
 * Bytes over the network since boot, from /proc/net/dev: the sum over every interface but loopback, as the kernel
 * counts them. A bridge and its members both count, as in psutil's sum; an interface that goes away takes its bytes
 * with it, so the sum may fall, and a reader treats that as it treats a reboot.
 *
 * A network namespace has its own list, and loopback is always `lo` in it. /proc/net means the reader's own namespace:
 * right for an agent on the host, wrong for one that was given the host's /proc under another root. There the list of
 * the host's first process is read.
 */
import type { InterfaceDetail } from '../sample/sample.ts';
import type { ByteCursor } from './byte-cursor.ts';
import { type Collector, DETAIL_ENTRIES, type Fields } from './collector.ts';
import type { KernelFile } from './kernel-file.ts';
import { addCounters } from './values.ts';

const COLON = 0x3a;
const HEADER_LINES = 2;
const LOOPBACK = 'lo';

const RECV_BYTES = 0;
const RECV_ERRORS = 2;
const RECV_DROPS = 3;
const SENT_BYTES = 8;
const SENT_ERRORS = 10;
const SENT_DROPS = 11;
const COLUMNS = 16;

export class NetworkCollector implements Collector {
  readonly name = 'network';
  readonly #dev: KernelFile;
  readonly #details: boolean;
  readonly #row = new Float64Array(COLUMNS);

  constructor(dev: KernelFile, details: boolean) {
    this.#dev = dev;
    this.#details = details;
  }

  collect(): Fields {
    const cursor = this.#dev.read();
    let sent = 0;
    let received = 0;
    const interfaces: InterfaceDetail[] = [];
    let more = this.#skipHeader(cursor);
    for (; more; more = cursor.nextLine()) {
      // A name may hold a colon (`eth0:1`), and the first number may stick to the colon that ends it.
      const name = cursor.textBeforeLast(COLON);
      if (name === undefined || name === '') throw this.#dev.garbled('interface in one of its lines');
      this.#readRow(cursor, name);
      if (name === LOOPBACK) continue;
      sent = addCounters(sent, this.#cell(SENT_BYTES));
      received = addCounters(received, this.#cell(RECV_BYTES));
      if (this.#details && interfaces.length < DETAIL_ENTRIES) interfaces.push(this.#detail(name));
    }
    const totals = { network_bytes_sent: sent, network_bytes_recv: received };
    return this.#details ? { ...totals, interfaces } : totals;
  }

  /** Answers whether a line follows. A host has at least its loopback: nothing at all is no list. */
  #skipHeader(cursor: ByteCursor): boolean {
    let more = !cursor.atEnd;
    for (let line = 0; line < HEADER_LINES && more; line++) more = cursor.nextLine();
    if (!more) throw this.#dev.garbled('interface');
    return more;
  }

  #readRow(cursor: ByteCursor, name: string): void {
    for (let column = 0; column < COLUMNS; column++) {
      const value = cursor.integer();
      if (Number.isNaN(value)) throw this.#dev.garbled(`counters of ${name.slice(0, 64)}`);
      this.#row[column] = value;
    }
  }

  #cell(column: number): number {
    return this.#row[column] as number;
  }

  #detail(name: string): InterfaceDetail {
    return {
      name,
      bytes_sent: this.#cell(SENT_BYTES),
      bytes_recv: this.#cell(RECV_BYTES),
      errors: addCounters(this.#cell(RECV_ERRORS), this.#cell(SENT_ERRORS)),
      drops: addCounters(this.#cell(RECV_DROPS), this.#cell(SENT_DROPS)),
    };
  }

  close(): void {
    this.#dev.close();
  }
}
