/** Names of what lies in the executable beside its first script; scripts/build.ts puts it there. */

/** The program, one script in Latin-1. */
export const PROGRAM_ASSET = 'hostspool.cjs';

/** The addon made of src/ops/notify.c. */
export const NOTIFY_ASSET = 'notify.node';
