/**
 * Messages that cannot become rows, on their way to `<topic>.dlq`: as they came, key, value and headers, with headers
 * beside them that say why and where from. They are acknowledged before the offsets move past them, so each is there
 * at least once; whoever lists them goes by their origin. Headers of ours that a message brings along (a dead letter that
 * was copied back by another tool) are left out: they would make it a mark, or one that was cut off.
 *
 * One that is too large with its further headers is made smaller until the topic takes it: half of its value and half
 * of that, then its own headers, then its key. What was cut off is said in a header; the original lies in its topic for
 * as long as that keeps it.
 */
import type { KafkaProducer, OutgoingMessage } from '../kafka/producer.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { deadLetterHeaders, deadLetterTopic, originalHeaders } from '../sample/dead-letter.ts';
import type { DeadLetter } from './compose.ts';

export interface DeadLetterOptions {
  readonly topic: string;
  readonly producer: Pick<KafkaProducer, 'send'>;
  /** Makes the dead-letter topic if it is missing; rejects with a HostspoolError where it may not. */
  readonly ensureTopic: (topic: string) => Promise<void>;
  readonly log: Log;
}

/** Most bytes of values in one request. */
const REQUEST_BYTES = 512 * 1024;
const KEY_BYTES = 1024;
const TOO_LARGE = 'KAFKA_MESSAGE_TOO_LARGE';

export class DeadLetters {
  readonly #options: DeadLetterOptions;
  readonly #target: string;
  #isThere = false;
  #sent = 0;

  constructor(options: DeadLetterOptions) {
    this.#options = options;
    this.#target = deadLetterTopic(options.topic);
  }

  /** Messages acknowledged since the start. */
  get sent(): number {
    return this.#sent;
  }

  /** One attempt at those that were not sent yet; rejects with a HostspoolError. What was acknowledged stays so. */
  async send(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const waiting = letters.filter(({ refusal }) => !refusal.sent);
    if (waiting.length === 0) return;
    if (!this.#isThere) await this.#ensureTopic();
    for (let from = 0; from < waiting.length; ) {
      let to = from + 1;
      for (let bytes = sizeOf(waiting[from]); to < waiting.length; to++) {
        bytes += sizeOf(waiting[to]);
        if (bytes > REQUEST_BYTES) break;
      }
      await this.#request(waiting.slice(from, to), signal);
      from = to;
    }
  }

  async #ensureTopic(): Promise<void> {
    try {
      await this.#options.ensureTopic(this.#target);
    } catch (error) {
      // The right to make topics is not needed where somebody else made it: the attempt to send tells.
      this.#options.log.debug({ event: 'dead_letter_topic_not_ensured', topic: this.#target, err: asError(error) });
    }
  }

  async #request(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const messages = letters.map((letter) => this.#whole(letter));
    try {
      await this.#options.producer.send(this.#target, messages, signal);
      this.#acknowledged(letters);
    } catch (error) {
      if (!(error instanceof HostspoolError) || error.code !== TOO_LARGE) {
        this.#isThere = false;
        throw error;
      }
      for (const letter of letters) await this.#alone(letter, signal);
    }
  }

  async #alone(letter: DeadLetter, signal: AbortSignal): Promise<void> {
    let message: OutgoingMessage | undefined = this.#whole(letter);
    while (message !== undefined) {
      try {
        await this.#options.producer.send(this.#target, [message], signal);
        return this.#acknowledged([letter]);
      } catch (error) {
        const smaller: OutgoingMessage | undefined = this.#smaller(message, letter);
        const isTooLarge = error instanceof HostspoolError && error.code === TOO_LARGE;
        if (!isTooLarge || smaller === undefined) throw error;
        message = smaller;
      }
    }
  }

  #whole(letter: DeadLetter): OutgoingMessage {
    const { key, value, headers } = letter.message;
    return { key, value, headers: { ...originalHeaders(headers), ...this.#headers(letter, null) } };
  }

  /** The next smaller form; undefined: there is none. */
  #smaller({ key, value, headers = {} }: OutgoingMessage, letter: DeadLetter): OutgoingMessage | undefined {
    const ours = this.#headers(letter, letter.message.value?.length ?? 0);
    if (value !== null && value.length > 0) {
      const half = Buffer.from(value).subarray(0, Math.floor(value.length / 2));
      return { key, value: half, headers: { ...headers, ...ours } };
    }
    if (Object.keys(headers).length > Object.keys(ours).length) return { key, value, headers: ours };
    if (key === null || key.length <= KEY_BYTES) return undefined;
    return { key: Buffer.from(key).subarray(0, KEY_BYTES), value, headers: ours };
  }

  #headers({ partition, epoch, message, refusal }: DeadLetter, truncated_from: number | null): Record<string, string> {
    const origin = { topic: this.#options.topic, partition, epoch, offset: message.offset };
    return deadLetterHeaders({ origin, ...refusal, timestamp: message.timestamp, truncated_from });
  }

  #acknowledged(letters: readonly DeadLetter[]): void {
    this.#isThere = true;
    this.#sent += letters.length;
    for (const { refusal } of letters) refusal.sent = true;
    const { partition, message, refusal } = letters[0] as DeadLetter;
    this.#options.log.warn(
      {
        event: 'dead_letters',
        topic: this.#target,
        messages: letters.length,
        first: { partition, offset: message.offset, code: refusal.code, reason: refusal.reason },
      },
      'messages that cannot become rows went to the dead-letter topic',
    );
  }
}

function sizeOf(letter: DeadLetter | undefined): number {
  return (letter?.message.value?.length ?? 0) + (letter?.message.key?.length ?? 0) + 1024;
}
