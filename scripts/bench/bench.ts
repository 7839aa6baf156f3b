/** `npm run bench -- agent | writer`: what hostspool costs here, measured on the built executable. */
import '../sql-as-text.ts';
import { parseArgs } from 'node:util';

const text = { type: 'string' } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { ...text, default: '60' },
    messages: { ...text, default: '200000' },
    rounds: { ...text, default: '3' },
  },
});
const [what = 'agent'] = positionals;
const seconds = Number(values.seconds);
const messages = Number(values.messages);
const rounds = Number(values.rounds);

if (what === 'agent' && seconds >= 10) {
  const { benchAgent } = await import('./agent.ts');
  await benchAgent({ seconds });
} else if (what === 'writer' && messages >= 1000 && rounds >= 1) {
  const { benchWriter } = await import('./writer.ts');
  await benchWriter({ messages, rounds });
} else {
  process.stderr.write(
    'usage: npm run bench -- agent [--seconds N ≥ 10]\n' +
      '       npm run bench -- writer [--messages N ≥ 1000] [--rounds N ≥ 1]\n',
  );
  process.exit(2);
}
