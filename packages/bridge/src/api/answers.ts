import { Type } from 'typebox'

/** What the calls answer, for the documentation. */

const time = (description: string) => Type.String({ format: 'date-time', description })

const MessageFields = {
  topic: Type.String(),
  payload: Type.Optional(Type.String({ description: 'Where it is UTF-8 text.' })),
  payloadBase64: Type.Optional(Type.String({ description: 'Where it is not.' })),
  qos: Type.Integer({ minimum: 0, maximum: 2 }),
  retain: Type.Boolean(),
  properties: Type.Optional(Type.Object({}, { description: 'Properties of the message (MQTT 5.0).' })),
}

export const Command = Type.Object(
  {
    id: Type.String(),
    status: Type.String({
      enum: ['queued', 'sent', 'acknowledged', 'failed', 'expired', 'cancelled'],
    }),
    ...MessageFields,
    attempts: Type.Integer({ description: 'How often a worker has begun it.' }),
    reasonCode: Type.Optional(Type.Integer({ description: "The broker's." })),
    reason: Type.Optional(Type.String({ description: 'Why it stands there.' })),
    createdAt: time('When it was accepted.'),
    updatedAt: time('When its status changed last.'),
    notBefore: time('Not sent before.'),
    expiresAt: Type.Optional(time('Not sent after.')),
  },
  { description: 'The command' },
)

export const Message = Type.Object(
  {
    cursor: Type.String({ description: 'Where it stands in the log.' }),
    ...MessageFields,
    receivedAt: time('When it was stored.'),
  },
  { description: 'The message' },
)

export const Messages = Type.Object(
  {
    messages: Type.Array(Message),
    next: Type.String({ description: 'The next page: give it as since.' }),
    atEnd: Type.Boolean({ description: 'Nothing stood behind it.' }),
    gap: Type.Boolean({ description: 'Some of what stood behind since is no longer kept.' }),
  },
  { description: 'A page' },
)

export const Events = {
  description:
    'Events: `id` is the cursor, `data` a message as JSON; an event `missed` says what was left out, and why',
  content: { 'text/event-stream': { schema: { type: 'string' } } },
}

export const Response = Type.Object(
  {
    payload: MessageFields.payload,
    payloadBase64: MessageFields.payloadBase64,
    qos: MessageFields.qos,
    properties: Type.Object({}),
  },
  { description: 'What the device has answered' },
)

export const NewHook = Type.Object(
  {
    id: Type.String(),
    filter: Type.String(),
    url: Type.String(),
    secret: Type.String({ description: 'Signs what is sent; it is not shown again.' }),
  },
  { description: 'The webhook' },
)

export const Hooks = Type.Object(
  {
    hooks: Type.Array(
      Type.Object({
        id: Type.String(),
        filter: Type.String(),
        url: Type.String(),
        cursor: Type.String({ description: 'Everything up to here has been delivered, or set aside.' }),
        failures: Type.Integer({ description: 'In a row, with the message behind the cursor.' }),
        nextAttempt: Type.Optional(time('Not tried before.')),
        createdAt: time('When it was made.'),
      }),
    ),
  },
  { description: 'Webhooks, oldest first' },
)

export const DeadLetters = Type.Object(
  {
    deadLetters: Type.Array(
      Type.Object({
        cursor: Type.String(),
        topic: Type.String(),
        reason: Type.String(),
        at: time('When it was set aside.'),
      }),
    ),
  },
  { description: 'The newest 100' },
)

export const Text = {
  description: 'Counters',
  content: { 'text/plain': { schema: { type: 'string' } } },
}

export const Fine = Type.Object({ status: Type.Literal('ok') }, { description: 'It answers' })
