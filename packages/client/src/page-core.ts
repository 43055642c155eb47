// A page's client as one file, with what its parts (part-*.ts) have to have in common with it: tools/browser/bundle.ts
// has a part's imports of these modules come from here. Names that begin with _ are the parts' alone.

export { encode as _e, MqttError, Parser as _p, ProtocolError } from '@pipit/protocol'
export * from './browser.ts'
export { ConnectionLostError, NotSupportedError, TimeoutError } from './errors.ts'
export { HandlerSink as _h } from './handler-sink.ts'
export { Publication as _m } from './publication.ts'
