/**
 * Which partitions may be fetched, so that what is held stays within its bounds and no partition takes the room of the
 * others.
 *
 * Held is what waits and what is in a load. Up to half of the bounds everybody is fetched; above it those that hold
 * more than their share pause, and at the bounds all do. A partition that paused goes on when there is room again for
 * more than a moment: else it would be fetched, and its log compared, for a few messages at a time.
 */
export interface Amount {
  readonly messages: number;
  readonly bytes: number;
}

const RESUME_BELOW = 0.75;

export class BufferGate {
  readonly #bounds: Amount;
  readonly #paused = new Set<number>();

  constructor(bounds: Amount) {
    this.#bounds = bounds;
  }

  /** `own`: what waits of the partition; `held`: all; `partitions`: among how many the room is shared. */
  isOpen(partition: number, own: Amount, held: Amount, partitions: number): boolean {
    const share = (1 / 2 / partitions) * (this.#paused.has(partition) ? 0.5 : 1);
    const [mine, all] = [this.#fill(own), this.#fill(held)];
    const isOpen = this.#paused.has(partition)
      ? all < RESUME_BELOW && (mine < share || all < 0.25)
      : all < 1 && (mine < share || all < 0.5);
    if (isOpen) this.#paused.delete(partition);
    else this.#paused.add(partition);
    return isOpen;
  }

  isPaused(partition: number): boolean {
    return this.#paused.has(partition);
  }

  /** How full: 1 is at a bound. */
  #fill({ messages, bytes }: Amount): number {
    return Math.max(messages / this.#bounds.messages, bytes / this.#bounds.bytes);
  }
}
