/** What this build is. The bundler puts the values in; a source tree has none. */
declare const BUILD_VERSION: string | undefined;
declare const BUILD_COMMIT: string | undefined;

export const version: string = typeof BUILD_VERSION === 'string' ? BUILD_VERSION : '0.0.0-dev';
/** Abbreviated commit, with `-dirty` where the tree had changes; `unknown` outside a checkout. */
export const commit: string = typeof BUILD_COMMIT === 'string' ? BUILD_COMMIT : 'unknown';
