/**
 * The double as a process of its own, for tests of built executables:
 *
 *   node test/support/tds/main.ts [--port N] [--control N] [--directory PATH] [--user NAME] [--password TEXT]
 *        [--database NAME] [--cert FILE --key FILE] [--encryption offered|required|refused|off]
 *
 * Prints one line of JSON when it listens: { "port": …, "control": … }. With --directory its databases are there, and
 * what was committed outlives kill -9; start it again on the same directory and port.
 */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { listenForControl } from './control.ts';
import { type EncryptionPolicy, TdsServer } from './server.ts';

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    port: text,
    control: text,
    directory: text,
    user: text,
    password: text,
    database: text,
    cert: text,
    key: text,
    encryption: text,
  },
});

const server = await TdsServer.listen({
  port: Number(values.port ?? 0),
  ...(values.directory === undefined ? {} : { directory: values.directory }),
  ...(values.user === undefined ? {} : { user: values.user }),
  ...(values.password === undefined ? {} : { password: values.password }),
  ...(values.database === undefined ? {} : { databases: [values.database] }),
  ...(values.encryption === undefined ? {} : { encryption: values.encryption as EncryptionPolicy }),
  ...(values.cert === undefined || values.key === undefined
    ? {}
    : { tls: { cert: readFileSync(values.cert, 'utf8'), key: readFileSync(values.key, 'utf8') } }),
});
const control = await listenForControl(server, Number(values.control ?? 0));
process.stdout.write(`${JSON.stringify({ port: server.port, control: (control.address() as AddressInfo).port })}\n`);

// Whoever started it by process.ts has ended; by hand there is no channel.
process.once('disconnect', () => process.exit(0));
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    control.close();
    await server[Symbol.asyncDispose]();
    process.exit(0);
  });
}
