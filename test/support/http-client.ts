/** A client that speaks to an endpoint byte by byte, as no well-behaved one would, and one that asks as usual. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { connect, type Socket } from 'node:net';

export interface Answered {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
}

export function ask(
  port: number,
  path: string,
  options: RequestOptions & { readonly tls?: boolean; readonly body?: string } = {},
): Promise<Answered> {
  const { tls = false, body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const send = tls ? httpsRequest : httpRequest;
    const request = send({ host: '127.0.0.1', port, path, agent: false, ...rest }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The JSON of an answer, with its status. */
export async function askJson(port: number, path: string): Promise<{ code: number } & Record<string, unknown>> {
  const { status, text } = await ask(port, path);
  return { code: status, ...(JSON.parse(text) as Record<string, unknown>) };
}

export class RawClient implements Disposable {
  readonly socket: Socket;
  readonly connected: Promise<void>;
  readonly closed: Promise<void>;
  received = '';

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port });
    this.socket.on('data', (data) => {
      this.received += String(data);
    });
    this.socket.on('error', () => undefined);
    this.connected = new Promise((resolve) => this.socket.once('connect', () => resolve()));
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
