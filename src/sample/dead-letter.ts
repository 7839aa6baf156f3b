/**
 * The contract of the dead-letter topic: the headers that say why a message is there and where it came from.
 *
 * A dead letter is the message as it came (key, value, headers), with these beside its own headers. It is there at
 * least once, so its identity is its origin: partition, epoch and offset in the topic it came from. A record with the
 * header `replayed` is no dead letter but a mark: the one of that origin was sent back to its topic. It has no value,
 * and the origin's text as its key.
 */
export const DEAD_LETTER_HEADERS = {
  /** Why it could not become a row: a sentence. */
  reason: 'hostspool-reason',
  /** The stable code of the reason, of docs/errors.md. */
  code: 'hostspool-code',
  topic: 'hostspool-topic',
  partition: 'hostspool-partition',
  offset: 'hostspool-offset',
  /** Kafka's time of the original message, ms since the epoch. */
  timestamp: 'hostspool-timestamp',
  /** How often the topic had been made anew, as the reader counts. */
  epoch: 'hostspool-epoch',
  /** Only where the message did not fit and a part of it was cut off: how many bytes its value had. */
  truncated: 'hostspool-truncated',
  /** Only on a mark: when it was sent back, ms since the epoch. */
  replayed: 'hostspool-replayed',
} as const;

/** Where a dead letter lay. */
export interface DeadLetterOrigin {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  readonly offset: number;
}

export interface DeadLetterNotice {
  readonly origin: DeadLetterOrigin;
  readonly reason: string;
  readonly code: string;
  /** Of the original message, ms since the epoch; null where it can't be told. */
  readonly timestamp: number | null;
  /** How many bytes the value had before a part of the message was cut off; null: it is whole. */
  readonly truncated_from: number | null;
}

export interface ReplayMark {
  readonly origin: DeadLetterOrigin;
  /** ms since the epoch. */
  readonly replayed_at: number;
}

export type HeaderValues = Readonly<Record<string, readonly Buffer[]>>;

export function deadLetterTopic(topic: string): string {
  return `${topic}.dlq`;
}

/** The headers that make a message a dead letter. */
export function deadLetterHeaders(notice: DeadLetterNotice): Record<string, string> {
  const { origin, reason, code, timestamp, truncated_from } = notice;
  return {
    ...originHeaders(origin),
    [DEAD_LETTER_HEADERS.reason]: reason.toWellFormed(),
    [DEAD_LETTER_HEADERS.code]: code,
    ...(timestamp === null ? {} : { [DEAD_LETTER_HEADERS.timestamp]: String(timestamp) }),
    ...(truncated_from === null ? {} : { [DEAD_LETTER_HEADERS.truncated]: String(truncated_from) }),
  };
}

/** The headers of a mark. */
export function replayMarkHeaders({ origin, replayed_at }: ReplayMark): Record<string, string> {
  return { ...originHeaders(origin), [DEAD_LETTER_HEADERS.replayed]: String(replayed_at) };
}

function originHeaders({ topic, partition, epoch, offset }: DeadLetterOrigin): Record<string, string> {
  return {
    [DEAD_LETTER_HEADERS.topic]: topic,
    [DEAD_LETTER_HEADERS.partition]: String(partition),
    [DEAD_LETTER_HEADERS.epoch]: String(epoch),
    [DEAD_LETTER_HEADERS.offset]: String(offset),
  };
}

/** What the headers of a record of the dead-letter topic say; undefined: it is not one of ours. */
export function readDeadLetterHeaders(headers: HeaderValues): DeadLetterNotice | ReplayMark | undefined {
  const text = (name: string) => headers[name]?.[0]?.toString();
  const whole = (name: string) => wholeNumber(text(name));
  const topic = text(DEAD_LETTER_HEADERS.topic);
  const partition = whole(DEAD_LETTER_HEADERS.partition);
  const offset = whole(DEAD_LETTER_HEADERS.offset);
  if (topic === undefined || partition === null || offset === null) return undefined;
  const origin = { topic, partition, epoch: whole(DEAD_LETTER_HEADERS.epoch) ?? 0, offset };
  const replayed_at = whole(DEAD_LETTER_HEADERS.replayed);
  if (replayed_at !== null) return { origin, replayed_at };
  return {
    origin,
    reason: text(DEAD_LETTER_HEADERS.reason) ?? '',
    code: text(DEAD_LETTER_HEADERS.code) ?? '',
    timestamp: whole(DEAD_LETTER_HEADERS.timestamp),
    // Whatever the header says, that it is there means that something was cut off.
    truncated_from:
      headers[DEAD_LETTER_HEADERS.truncated] === undefined ? null : (whole(DEAD_LETTER_HEADERS.truncated) ?? 0),
  };
}

const NAMES: ReadonlySet<string> = new Set(Object.values(DEAD_LETTER_HEADERS));

/** The headers that the message had of its own. */
export function originalHeaders(headers: HeaderValues): HeaderValues {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NAMES.has(name)));
}

/** `3:1042`, and `3:1042@1` where the topic had been made anew once. */
export function originText({ partition, epoch, offset }: DeadLetterOrigin): string {
  return `${partition}:${offset}${epoch === 0 ? '' : `@${epoch}`}`;
}

/** The same, read; undefined for what is none. */
export function parseOriginText(text: string): Omit<DeadLetterOrigin, 'topic'> | undefined {
  const match = /^(\d+):(\d+)(?:@(\d+))?$/.exec(text.trim());
  const [partition, offset, epoch] = [match?.[1], match?.[2], match?.[3] ?? '0'].map(wholeNumber);
  if (partition == null || offset == null || epoch == null) return undefined;
  return { partition, epoch, offset };
}

function wholeNumber(text: string | undefined): number | null {
  const number = text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : null;
}
