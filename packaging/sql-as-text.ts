/** The command line imports SQL files as texts, as the bundler and the tests do; importing this teaches it to Node. */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

registerHooks({
  load: (url, context, nextLoad) => {
    if (!url.endsWith('.sql')) return nextLoad(url, context);
    const text = JSON.stringify(readFileSync(fileURLToPath(url), 'utf8'));
    return { format: 'module', source: `export default ${text}`, shortCircuit: true };
  },
});
