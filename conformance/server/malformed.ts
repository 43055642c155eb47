import { frame, hex, uint16 } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a } from '../kit/steps.ts'

/** What no correct client sends. */
export const malformed: Table = {
  title: '4.13 Malformed packets and protocol errors',
  rows: [
    {
      covers: ['3.1.1 MQTT-4.8.0-1 server', '5.0 MQTT-4.13.1-1 server'],
      name: 'packet type 0 is refused by its first byte',
      steps: ['00', '0f', '01 ff ff ff ff ff', '00 00'].flatMap((digits) => [
        a.connect(),
        a.send(digits),
        a.cutOff(0x82),
      ]),
    },
    {
      covers: ['3.1.1 MQTT-4.8.0-1 server', '5.0 MQTT-4.13.1-1 server'],
      name: 'packets of a server are refused',
      steps: (version) => [
        ...['20 02 00 00', '20', '2f', '90 03 00 01 00', 'b0 02 00 01', 'd0 00'].flatMap((digits) => [
          a.connect(),
          a.send(digits),
          a.cutOff(0x82),
        ]),
        ...['91 03 00 01 00', 'b2 02 00 01', 'd1 00'].flatMap((digits) => [
          a.connect({}),
          a.send(digits),
          ...(version === 5 ? [a.cutOff(0x81)] : [a.closed()]),
        ]),
      ],
    },
    {
      covers: ['3.1.1 MQTT-2.2.2-2 server', '5.0 MQTT-2.1.3-1 server'],
      name: 'wrong flags of the fixed header are malformed, in every packet of a client',
      steps: (version) =>
        [
          '41 02 00 01',
          '51 02 00 01',
          '60 02 00 01',
          '72 02 00 01',
          'c1 00',
          'e1 00',
          ...(version === 5 ? ['f1 00'] : []),
        ]
          .filter((digits) => digits !== 'f1 00')
          .flatMap((digits) => [a.connect(), a.send(digits), a.cutOff(0x81)]),
    },
    {
      covers: ['3.1.1 MQTT-3.6.1-1 server', '5.0 MQTT-3.6.1-1 server'],
      not31: true,
      name: 'PUBREL with other flags than 2 is malformed',
      steps: [0x60, 0x61, 0x63, 0x66, 0x6a].flatMap((first) => [
        a.connect(),
        a.send(frame(first, uint16(1))),
        a.cutOff(0x81),
      ]),
    },
    {
      covers: ['3.1.1 MQTT-3.14.1-1 server', '5.0 MQTT-3.14.1-1 server'],
      name: 'DISCONNECT with flags is malformed, and leaves the session as it is',
      steps: [
        a.connect({ session: 100 }),
        a.send('e1 00'),
        a.cutOff(0x81),
        a.connect({ session: 100 }, { sessionPresent: true }),
      ],
    },
    {
      covers: ['5.0 MQTT-1.5.5-1 server'],
      name: 'a Property Length that is not in its shortest form is malformed',
      steps: [a.connect(), a.send(frame(0x30, 't', hex('8000'), hex('78'))), a.cutOff(0x81)],
    },
    {
      covers: ['3.1.1 MQTT-4.8.0-1 server', '5.0 MQTT-4.13.1-1 server'],
      name: 'a Remaining Length of five bytes closes the connection in silence',
      steps: ['30 ff ff ff ff 01', 'c0 80 80 80 80 00', '82 80 80 80 80 01'].flatMap((digits) => [
        a.connect(),
        a.send(digits),
        a.closed(),
      ]),
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'PINGREQ with a body closes the connection in silence',
      steps: [a.connect(), a.send('c0 01 00'), a.closed()],
    },
    {
      covers: ['3.1.1 MQTT-4.8.0-1 server', '5.0 MQTT-4.13.1-1 server'],
      name: 'packets that end too soon are malformed',
      steps: (version) =>
        [
          '40 01 00',
          '50 00',
          '62 01 00',
          '70 01 00',
          '30 00',
          '30 01 00',
          '30 03 00 05 61',
          '32 04 00 01 74 00',
          '82 00',
          '82 01 00',
          version === 5 ? '82 07 00 01 00 00 05 74 00' : '82 06 00 01 00 05 74 00',
          version === 5 ? '82 06 00 01 00 00 01 74' : '82 05 00 01 00 01 74',
          'a2 01 00',
        ].flatMap((digits) => [a.connect(), a.send(digits), a.cutOff(0x81)]),
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'bytes behind the end of an acknowledgement are malformed',
      steps: (version) =>
        (version === 5
          ? ['40 06 00 01 00 00 00 00', '62 05 00 01 00 00 00']
          : ['40 03 00 01 00', '62 03 00 01 00']
        ).flatMap((digits) => [a.connect(), a.send(digits), a.cutOff(0x81)]),
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'acknowledgements with identifier 0 are Protocol Errors',
      steps: ['40 02 00 00', '50 02 00 00', '62 02 00 00', '70 02 00 00'].flatMap((digits) => [
        a.connect(),
        a.send(digits),
        a.cutOff(0x82),
      ]),
    },
    {
      covers: [],
      versions: [5],
      name: 'a reason code that is none of the packet’s own is a Protocol Error',
      steps: [
        '40 03 00 01 01',
        '50 03 00 01 92',
        '62 03 00 01 80',
        '70 03 00 01 10',
        '40 03 00 01 ff',
      ].flatMap((digits) => [a.connect(), a.send(digits), a.cutOff(0x82)]),
    },
    {
      covers: ['5.0 MQTT-3.14.2-1 server'],
      name: 'DISCONNECT with a code that a client does not have closes the connection in silence',
      steps: ['e0 01 01', 'e0 01 05', 'e0 01 8b', 'e0 01 8d', 'e0 01 8e', 'e0 01 9c', 'e0 01 ff'].flatMap(
        (digits) => [a.connect(), a.send(digits), a.closed()],
      ),
    },
  ],
}
