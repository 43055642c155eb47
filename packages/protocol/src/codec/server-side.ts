/** What a server reads and writes and a client does not: a page goes without (small/server-side.ts). */
export { decodeConnect } from './decode-connect.ts'
export { decodeSubscribe, decodeUnsubscribe } from './decode-subscribe.ts'
export { connackLength, writeConnack } from './encode-connack.ts'
export { subackLength, unsubackLength, writeReasonCodes } from './encode-suback.ts'
