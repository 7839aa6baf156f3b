// biome-ignore-all lint/style/noDefaultExport: what a CommonJS module exports is the default export
/** The one file of prom-client that writes the text; its index would load its cluster, gateway and default metrics too. */
declare module 'prom-client/lib/registry.js' {
  import { Registry } from 'prom-client';
  export default Registry;
}
