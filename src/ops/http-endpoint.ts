/**
 * The endpoint for health and metrics: listens where the settings say, for as long as the service runs.
 *
 *   off ── address set ──▶ opening ──▶ listening ── settings say elsewhere ──▶ opening
 *                            │  ▲
 *                     failed ▼  │ wait over
 *                           waiting
 *
 * Nothing depends on it: an address in use, or a certificate that can't be read, is said once and tried again, while
 * samples go on being taken. With TLS set it never falls back to plain text. Until an address is set nothing of HTTP is
 * even loaded.
 */
import type { AddressInfo } from 'node:net';
import type { ResolvedSettings } from '../config/load.ts';
import { Backoff } from '../lib/backoff.ts';
import type { CertificateFile } from '../lib/certificate-file.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { HttpAnswers, type Observed } from './http-answers.ts';
import { HTTP_LIMITS, type HttpLimits, HttpServer, readTls } from './http-server.ts';

type HttpSettings = Pick<ResolvedSettings['http'], 'address' | 'token' | 'tls'>;

export interface HttpEndpointOptions {
  readonly observed: Observed;
  readonly clock: Clock;
  readonly log: Log;
  /** Narrower ones, for tests. */
  readonly limits?: HttpLimits;
}

/** Waits between attempts at an address that is in use. */
const RETRY = { base: 5_000, cap: 60_000 };

export class HttpEndpoint implements AsyncDisposable {
  readonly #options: HttpEndpointOptions;
  readonly #answers: HttpAnswers;
  #settings: HttpSettings;
  #server: HttpServer | undefined;
  /** Ends what is going on for the address that is set now. */
  #stop = new AbortController();
  #work: Promise<void>;

  private constructor(settings: HttpSettings, options: HttpEndpointOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#answers = new HttpAnswers(options.observed, settings.token, options.clock, options.log);
    this.#work = this.#open(settings, this.#stop.signal);
  }

  /** Begins to listen, or to try. */
  static start(settings: HttpSettings, options: HttpEndpointOptions): HttpEndpoint {
    return new HttpEndpoint(settings, options);
  }

  /** Where it listens; undefined while it does not. */
  get address(): AddressInfo | undefined {
    return this.#server?.address;
  }

  /** The certificate that is shown now. */
  get certificates(): readonly CertificateFile[] {
    const pem = this.#server?.certificate;
    return pem === undefined ? [] : [{ setting: 'http.tls.cert', use: 'shown', pem }];
  }

  /** Takes over the settings; token and certificate are taken even where only the content of their files changed. */
  apply(settings: HttpSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    this.#answers.setToken(settings.token);
    const isElsewhere =
      settings.address !== before.address || (settings.tls.cert === undefined) !== (before.tls.cert === undefined);
    if (isElsewhere || this.#server === undefined) this.#again(settings);
    else if (settings.tls.cert !== undefined) void this.#renew(this.#server, settings);
  }

  /** Stops listening; answers under way are cut off. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#work;
    await this.#closeServer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #again(settings: HttpSettings): void {
    this.#stop.abort();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#work = this.#work.then(() => this.#closeServer()).then(() => this.#open(settings, signal));
  }

  /** Until it listens, or is to stop. Never rejects. */
  async #open(settings: HttpSettings, stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    if (settings.address === '') return;
    const backoff = new Backoff(RETRY);
    let said: string | undefined;
    while (!stop.aborted) {
      try {
        this.#server = await this.#listen(settings);
        const { address, port } = this.#server.address;
        log.info({ event: 'http_listening', address, port, tls: settings.tls.cert !== undefined });
        return;
      } catch (thrown) {
        const error = asError(thrown);
        const wait = Math.round(RETRY.base / 2 + backoff.failed());
        const passes = error instanceof HostspoolError && error.retryable;
        const level = said === error.message ? 'debug' : passes ? 'warn' : 'error';
        said = error.message;
        const message = 'no health and metrics over HTTP for now; everything else goes on';
        log[level]({ event: 'http_not_listening', err: error, next_attempt_in_ms: wait }, message);
        await clock.sleep(wait, stop);
      }
    }
  }

  async #listen({ address, tls }: HttpSettings): Promise<HttpServer> {
    const { log, limits = HTTP_LIMITS } = this.#options;
    const { listener } = this.#answers;
    return HttpServer.listen(address, { listener, tls: await readTls(tls), limits, log });
  }

  async #renew(server: HttpServer, { tls }: HttpSettings): Promise<void> {
    const { log } = this.#options;
    try {
      const pair = await readTls(tls);
      if (pair !== undefined) server.renew(pair);
    } catch (error) {
      log.error({ event: 'http_tls_not_renewed', err: asError(error) }, 'the certificate in use stays in use');
    }
  }

  async #closeServer(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.close();
  }
}
