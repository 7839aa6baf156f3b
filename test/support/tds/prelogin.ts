/** The first message of a connection: which versions meet, and whether what follows is encrypted. */

export const ENCRYPTION = { off: 0x00, on: 0x01, notSupported: 0x02, required: 0x03 } as const;
export type Encryption = keyof typeof ENCRYPTION;

const OPTION = { version: 0x00, encryption: 0x01, instance: 0x02, thread: 0x03, mars: 0x04 } as const;
const TERMINATOR = 0xff;
/** What SQL Server 2019 says of itself. */
const VERSION = [15, 0, 0x07, 0xd0, 0, 0];

/** What the client says about encryption. */
export function encryptionAsked(data: Buffer): Encryption {
  for (let at = 0; at < data.length && data[at] !== TERMINATOR; at += 5) {
    if (data[at] !== OPTION.encryption) continue;
    const value = data[data.readUInt16BE(at + 1)];
    for (const [name, known] of Object.entries(ENCRYPTION)) if (known === value) return name as Encryption;
  }
  throw new Error('a prelogin that says nothing about encryption');
}

export function preloginAnswer(encryption: Encryption): Buffer {
  const options: readonly (readonly [number, readonly number[]])[] = [
    [OPTION.version, VERSION],
    [OPTION.encryption, [ENCRYPTION[encryption]]],
    [OPTION.instance, [0]],
    [OPTION.thread, []],
    [OPTION.mars, [0]],
  ];
  let offset = options.length * 5 + 1;
  const heads: number[] = [];
  const values: number[] = [];
  for (const [option, value] of options) {
    heads.push(option, offset >> 8, offset & 0xff, 0, value.length);
    values.push(...value);
    offset += value.length;
  }
  return Buffer.from([...heads, TERMINATOR, ...values]);
}
