import { MqttError } from '@pipit/protocol'
import { ConnectionLostError, ConnectionRefusedError } from './errors.ts'
import type { PacketTransport } from './transport/packet-transport.ts'

/** Ends a connection; says why, where the error is ours to report and the version can carry it. */
export function farewell(transport: PacketTransport, error: unknown): void {
  const theirs = error instanceof ConnectionLostError || error instanceof ConnectionRefusedError
  const reasonCode = error instanceof MqttError && !theirs ? error.reasonCode : undefined
  if (transport.isOpen && transport.version === 5 && reasonCode !== undefined) {
    transport.writePacket({ type: 'DISCONNECT', reasonCode })
    void transport.end()
  } else transport.destroy()
}
