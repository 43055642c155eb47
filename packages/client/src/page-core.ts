// A page's client as one file, with what its parts (part-*.ts) take from it: names that begin with _ are theirs alone,
// and tools/browser/bundle.ts has a part's imports of these modules come from here.

export {
  AWAITING_PUBACK as _AWAITING_PUBACK,
  AWAITING_PUBCOMP as _AWAITING_PUBCOMP,
  AWAITING_PUBREC as _AWAITING_PUBREC,
  encode as _encode,
  MqttError,
  matches as _matches,
  Parser as _Parser,
  ProtocolError,
  parseSharedFilter as _parseSharedFilter,
} from '@pipit/protocol'
export * from './browser.ts'
export {
  ConnectionLostError,
  describeReason as _describeReason,
  NotSupportedError,
} from './errors.ts'
export { HandlerSink as _HandlerSink } from './handler-sink.ts'
export { Operation as _Operation } from './operation.ts'
export { bytesOf as _bytesOf, integer as _integer } from './options.ts'
export { NO_PAYLOAD as _NO_PAYLOAD, Publication as _Publication } from './publication.ts'
export { watch as _watch } from './watch.ts'
