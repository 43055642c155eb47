import { bytes, connectFrame, frame, hex, uint16 } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a } from '../kit/steps.ts'
import {
  expectsBytes,
  expectsClose,
  opens,
  sendsFragments,
  sendsFrame,
  sendsText,
} from '../kit/web-socket.ts'

const noProperties = (version: number): number[] => (version === 5 ? [0] : [])
const accepted = (version: number): string => (version === 5 ? '20 06 00 00 03 22 00 0a' : '20 02 00 00')

/** MQTT over WebSocket. */
export const webSocket: Table = {
  title: '6 WebSocket',
  rows: [
    {
      covers: ['3.1.1 MQTT-6.0.0-4 server', '5.0 MQTT-6.0.0-4 server'],
      name: 'mqtt is offered, and mqtt is answered as the subprotocol',
      steps: (version) => [
        opens('chat, mqtt', (answer) => {
          if (!/^HTTP\/1\.1 101 /.test(answer) || !/^sec-websocket-protocol: mqtt\r$/im.test(answer)) {
            throw new Error(answer)
          }
        }),
        sendsFrame(connectFrame(version)),
        expectsBytes(accepted(version)),
      ],
    },
    {
      covers: ['3.1.1 MQTT-6.0.0-2 server', '5.0 MQTT-6.0.0-2 server'],
      name: 'a packet over several frames, and several packets in one, are understood',
      steps: (version) => {
        const hello = connectFrame(version)
        return [
          opens('mqtt'),
          ...[...hello].map((byte) => sendsFrame(Uint8Array.of(byte))),
          expectsBytes(accepted(version)),
          sendsFrame(bytes(hex('c000'), frame(0x82, uint16(1), ...noProperties(version), 't', 0), hex('c0'))),
          expectsBytes(`d000 ${version === 5 ? '9004000100 00' : '9003000100'}`),
          sendsFrame('00'),
          expectsBytes('d000'),
        ]
      },
    },
    {
      covers: ['3.1.1 MQTT-6.0.0-2 server', '5.0 MQTT-6.0.0-2 server'],
      name: 'a message in fragments is understood',
      steps: (version) => {
        const hello = connectFrame(version)
        return [
          opens('mqtt'),
          ...sendsFragments(hello.subarray(0, 3), hello.subarray(3, 9), '', hello.subarray(9)),
          expectsBytes(accepted(version)),
        ]
      },
    },
    {
      covers: ['3.1.1 MQTT-6.0.0-1 server', '5.0 MQTT-6.0.0-1 server'],
      name: 'what goes out is in binary frames, and a text frame ends the connection',
      steps: (version) => [
        opens('mqtt'),
        sendsFrame(connectFrame(version)),
        expectsBytes(accepted(version)),
        sendsText('c000'),
        expectsClose(),
        a.connect({}, { sessionPresent: false }),
      ],
    },
  ],
}
