import { ProtocolError } from '../errors.ts'

/** What only a server reads and writes: a client that gets it refuses it. @see codec/server-side.ts */
function fromServer(): never {
  throw new ProtocolError('a packet that only clients send')
}

function toClient(): never {
  throw new TypeError('a packet that only servers send')
}

export {
  fromServer as decodeConnect,
  fromServer as decodeSubscribe,
  fromServer as decodeUnsubscribe,
  toClient as connackLength,
  toClient as subackLength,
  toClient as unsubackLength,
  toClient as writeConnack,
  toClient as writeReasonCodes,
}
