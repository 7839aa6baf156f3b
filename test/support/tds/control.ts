/**
 * A double that runs as a process of its own is told what to do over HTTP, on 127.0.0.1: every request is a POST of JSON
 * to /<verb>, the answer is JSON.
 */
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Fault } from './faults.ts';
import type { TableName } from './schema.ts';
import type { TdsServer } from './server.ts';

type Verb = (argument: never) => unknown;

function verbs(server: TdsServer): Readonly<Record<string, Verb>> {
  return {
    fault: (fault: Fault) => server.faults.add(fault),
    'clear-faults': () => server.faults.clear(),
    struck: () => server.faults.struck,
    cut: () => server.cut(),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    refuse: () => server.refuse(),
    accept: () => server.accept(),
    password: (password: string) => {
      server.password = password;
    },
    table: (name: TableName) => server.committed.table(name),
    totals: () => ({ ...server.committed.accounting(), duplicates: server.committed.duplicates() }),
    count: (step: string) => server.count(step),
    connections: () => server.connections,
    surprises: () => server.surprises.map(({ message }) => message),
  };
}

export async function listenForControl(server: TdsServer, port: number): Promise<Server> {
  const known = verbs(server);
  const control = createServer(async (request, response) => {
    try {
      const verb = known[(request.url ?? '').slice(1)];
      const body = await text(request);
      if (verb === undefined) response.writeHead(404).end();
      else {
        const answer = await verb((body === '' ? undefined : JSON.parse(body)) as never);
        response.setHeader('content-type', 'application/json').end(JSON.stringify(answer ?? null));
      }
    } catch (error) {
      response.writeHead(500).end(JSON.stringify({ error: String(error) }));
    }
  });
  await new Promise<void>((resolve, reject) => {
    control.once('error', reject);
    control.listen(port, '127.0.0.1', resolve);
  });
  return control;
}
