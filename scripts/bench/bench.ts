/** `npm run bench -- agent [--seconds 60]`: what hostspool costs here, measured on the built executable. */
import { parseArgs } from 'node:util';
import { benchAgent } from './agent.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, samples: { type: 'string', default: '100000' } },
});
const [what = 'agent'] = positionals;
const seconds = Number(values.seconds);
const samples = Number(values.samples);

if (what !== 'agent' || !(seconds >= 10) || !(samples >= 1000)) {
  process.stderr.write('usage: npm run bench -- agent [--seconds N ≥ 10] [--samples N ≥ 1000]\n');
  process.exit(2);
}
await benchAgent({ seconds, samples });
