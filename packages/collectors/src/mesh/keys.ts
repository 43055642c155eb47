import { createDecipheriv } from 'node:crypto'

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

/** Packet id as 64 bits little endian, sender as 32, four zero bytes. */
export function nonceOf(from: number, id: number): Uint8Array {
  const nonce = new Uint8Array(16)
  const view = new DataView(nonce.buffer)
  view.setUint32(0, id, true)
  view.setUint32(8, from, true)
  return nonce
}

/** AES-CTR: whatever goes in, something comes out; whether it is a message shows when it is decoded. */
export function decrypt(key: Uint8Array, from: number, id: number, encrypted: Uint8Array): Uint8Array {
  const cipher = createDecipheriv(key.length === 16 ? 'aes-128-ctr' : 'aes-256-ctr', key, nonceOf(from, id))
  // CTR is a stream: `final` gives nothing.
  return cipher.update(encrypted)
}

function fromBase64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new TypeError('the key is no base64')
  return Buffer.from(text, 'base64')
}
