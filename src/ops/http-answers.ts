/**
 * What the endpoint answers. Every answer is JSON but /metrics; none has a stack, a header of the request or anything
 * else of a client's in it. With a token, a client without it learns nothing but that it lacks it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { answerTo, type Condition, type HealthQuestion } from './condition.ts';
import { CONTENT_TYPE, exposition } from './exposition.ts';
import type { Readings } from './metrics-catalog.ts';
import { SharedAnswer } from './shared-answer.ts';

/** What there is to tell. */
export interface Observed {
  condition(): Condition;
  metrics(): Readings | Promise<Readings>;
  /** The object of `hostspool status --json`; or a promise of it; absent for a service without a spool. May throw. */
  readonly status?: () => unknown;
}

interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const QUESTIONS: Readonly<Record<string, HealthQuestion>> = {
  '/health': 'health',
  '/health/live': 'live',
  '/health/ready': 'ready',
};

export class HttpAnswers {
  readonly #observed: Observed;
  readonly #log: Log;
  #tokenHash: Buffer | undefined;
  readonly #metrics: SharedAnswer;
  readonly #status: SharedAnswer | undefined;

  constructor(observed: Observed, token: string | undefined, clock: Clock, log: Log) {
    const { status } = observed;
    this.#observed = observed;
    this.#log = log;
    this.#metrics = new SharedAnswer(async () => exposition(await observed.metrics()), clock);
    this.#status = status === undefined ? undefined : new SharedAnswer(async () => textOf(await status()), clock);
    this.setToken(token);
  }

  /** What clients must show from now on; undefined: nothing. */
  setToken(token: string | undefined): void {
    this.#tokenHash = token === undefined ? undefined : hashOf(token);
  }

  readonly listener: RequestListener = (request, response) => {
    this.#answer(request)
      .catch((error: unknown) => {
        this.#log.error({ event: 'http_failed', err: asError(error) }, 'a question over HTTP could not be answered');
        return json(500, { error: 'this could not be answered; the log says why' });
      })
      .then((answer) => send(request, response, answer))
      .catch(() => response.destroy());
  };

  async #answer(request: IncomingMessage): Promise<Answer> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return json(405, { error: 'only GET and HEAD' }, { Allow: 'GET, HEAD' });
    }
    if (!this.#isAllowed(request.headers.authorization)) {
      return json(401, { error: 'this needs the bearer token of http.token' }, { 'WWW-Authenticate': 'Bearer' });
    }
    const [path = ''] = (request.url ?? '').split('?', 1);
    const question = Object.hasOwn(QUESTIONS, path) ? QUESTIONS[path] : undefined;
    if (question !== undefined) {
      const answer = answerTo(question, this.#observed.condition());
      return json(answer.status === 'failed' ? 503 : 200, answer);
    }
    if (path === '/metrics') return { status: 200, type: CONTENT_TYPE, body: await this.#metrics.get() };
    const status = this.#status;
    if (path === '/status' && status !== undefined) return { status: 200, body: await status.get() };
    const paths = [...Object.keys(QUESTIONS), '/metrics', ...(status === undefined ? [] : ['/status'])];
    return json(404, { error: 'there is nothing here', paths });
  }

  #isAllowed(authorization: string | undefined): boolean {
    if (this.#tokenHash === undefined) return true;
    const [, token = ''] = /^bearer +(.+)$/i.exec(authorization ?? '') ?? [];
    // Hashes are of one length, so that nothing of the token's own shows in the time this takes.
    return timingSafeEqual(hashOf(token), this.#tokenHash);
  }
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, body: textOf(body), headers };
}

function textOf(body: unknown): string {
  return `${JSON.stringify(body, undefined, 2)}\n`;
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body, headers }: Answer): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    'Content-Type': type ?? 'application/json; charset=utf-8',
    'Content-Length': bytes.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    Connection: 'close',
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}
