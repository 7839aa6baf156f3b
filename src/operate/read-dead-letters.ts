/** Reads a dead-letter topic with a follower, which leaves nothing behind on the brokers. */
import type { FollowedMessage, Follower } from '../kafka/follower.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import { deadLetterTopic } from '../sample/dead-letter.ts';
import type { ReadDeadLetters } from './dead-letter-index.ts';

/** A topic that is not there yet is an empty one: no message was ever refused. */
export function deadLetterReader(
  follower: () => Pick<Follower, 'follow'>,
  topic: string,
  signal: AbortSignal,
): ReadDeadLetters {
  return async function* (): AsyncGenerator<FollowedMessage> {
    try {
      yield* follower().follow({ topic: deadLetterTopic(topic), from: 'beginning', until: 'end', signal });
    } catch (thrown) {
      const error = asError(thrown);
      if (!(error instanceof HostspoolError) || error.code !== 'KAFKA_UNKNOWN_TOPIC') throw error;
    }
  };
}
