// biome-ignore-all lint/style/noDefaultExport: what a CommonJS module exports is the default export
/** kafkajs' own list of what a broker can answer. */
declare module 'kafkajs/src/protocol/error.js' {
  export const errorCodes: readonly { readonly type: string; readonly code: number }[];
  export function createErrorFromCode(code: number): Error;
}

declare module 'kafkajs/src/protocol/requests/produce/v7/request.js' {
  /** How kafkajs' own producer encodes its request. */
  function request(given: object): { encode(): Promise<{ readonly buffer: Buffer }> };
  export default request;
}
