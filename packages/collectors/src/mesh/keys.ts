import { type Cipheriv, createCipheriv } from 'node:crypto'

/** The well-known key that a PSK of one byte stands for. */
const DEFAULT_KEY = Buffer.from('1PG7OiApB1nwvP+rz05pAQ==', 'base64')

/** The AES key of a pre-shared key: 0 or nothing is none, one byte n the default key with n − 1 added to its last
 *  byte, 2 to 15 bytes are padded with zeros to 16, 17 to 31 to 32.
 *  @param psk bytes, or base64 as the apps show it
 *  @returns undefined where nothing is encrypted
 *  @throws RangeError for more than 32 bytes, TypeError for text that is no base64 */
export function keyFrom(psk: string | Uint8Array): Uint8Array | undefined {
  const bytes = typeof psk === 'string' ? fromBase64(psk) : psk
  const { length } = bytes
  if (length > 32) throw new RangeError(`the key has ${length} bytes; it takes 0 to 32`)
  if (length === 0) return undefined
  if (length > 1) {
    const key = new Uint8Array(length <= 16 ? 16 : 32)
    key.set(bytes)
    return key
  }
  const number = bytes[0] ?? 0
  if (number === 0) return undefined
  const key = Uint8Array.from(DEFAULT_KEY)
  key[15] = ((key[15] ?? 0) + number - 1) & 0xff
  return key
}

const BLOCK = 16

/** AES-CTR with one key: whatever goes in, something comes out; whether it is a message shows when it is decoded.
 *  One cipher turns the counters of all packets into key stream, 4 µs a packet where a cipher for each costs 60:
 *  2.5x on mesh (bench/collectors). */
export class ChannelCipher {
  private readonly cipher: Cipheriv
  private counters = Buffer.alloc(16 * BLOCK)

  /** @param key 16 or 32 bytes */
  constructor(key: Uint8Array) {
    this.cipher = createCipheriv(key.length === 16 ? 'aes-128-ecb' : 'aes-256-ecb', key, null)
    this.cipher.setAutoPadding(false)
  }

  /** @param from the sender, @param id the packet's: they make its first counter */
  decrypt(from: number, id: number, encrypted: Uint8Array): Uint8Array {
    const { length } = encrypted
    const plain = this.keyStream(from, id, Math.ceil(length / BLOCK))
    for (let i = 0; i < length; i++) plain[i] = (plain[i] ?? 0) ^ (encrypted[i] ?? 0)
    return plain.subarray(0, length)
  }

  /** Counters: packet id as 64 bits little endian, sender as 32, number of the block as 32 big endian. */
  private keyStream(from: number, id: number, blocks: number): Buffer {
    if (this.counters.length < blocks * BLOCK) this.counters = Buffer.alloc(blocks * BLOCK)
    const { counters } = this
    for (let block = 0, at = 0; block < blocks; block++, at += BLOCK) {
      counters.writeUInt32LE(id, at)
      counters.writeUInt32LE(from, at + 8)
      counters.writeUInt32BE(block, at + 12)
    }
    return this.cipher.update(counters.subarray(0, blocks * BLOCK))
  }
}

/** A channel's cipher, or undefined where nothing is encrypted.
 *  @throws as `keyFrom` */
export function cipherFrom(psk: string | Uint8Array): ChannelCipher | undefined {
  const key = keyFrom(psk)
  return key === undefined ? undefined : new ChannelCipher(key)
}

function fromBase64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new TypeError('the key is no base64')
  return Buffer.from(text, 'base64')
}
