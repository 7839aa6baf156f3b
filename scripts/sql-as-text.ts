/** Lets scripts that are run as they are import `.sql` files as texts, as the bundle and the tests do. */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith('.sql')) return nextLoad(url, context);
    const source = `export default ${JSON.stringify(readFileSync(fileURLToPath(url), 'utf8'))}`;
    return { format: 'module', source, shortCircuit: true };
  },
});
