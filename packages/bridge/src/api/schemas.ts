import { type Static, Type } from 'typebox'

const Properties = Type.Object(
  {
    contentType: Type.Optional(Type.String()),
    responseTopic: Type.Optional(Type.String()),
    correlationData: Type.Optional(Type.String({ description: 'Base64.' })),
    payloadFormatIndicator: Type.Optional(Type.Union([Type.Literal(0), Type.Literal(1)])),
    userProperties: Type.Optional(
      Type.Array(Type.Array(Type.String(), { minItems: 2, maxItems: 2 }), {
        description: 'Pairs of name and value.',
      }),
    ),
  },
  { additionalProperties: false, description: 'Properties of the message (MQTT 5.0).' },
)

const payloadFields = {
  payload: Type.Optional(Type.String({ description: 'Sent as UTF-8. Default: empty.' })),
  payloadBase64: Type.Optional(Type.String({ description: 'Instead of payload: any bytes.' })),
}

export const CommandBody = Type.Object(
  {
    topic: Type.String({ minLength: 1, description: 'A Topic Name.' }),
    ...payloadFields,
    qos: Type.Optional(Type.Union([Type.Literal(1), Type.Literal(2)], { description: 'Default 1.' })),
    retain: Type.Optional(Type.Boolean()),
    expiresIn: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 4_294_967_295, description: 'Seconds; not sent after that.' }),
    ),
    notBefore: Type.Optional(Type.String({ description: 'A time in ISO 8601; not sent before.' })),
    ordered: Type.Optional(
      Type.Boolean({ description: 'Sent when the ordered commands to this topic before it are over.' }),
    ),
    properties: Type.Optional(Properties),
  },
  { additionalProperties: false },
)
export type CommandBody = Static<typeof CommandBody>

export const BatchBody = Type.Object(
  { commands: Type.Array(CommandBody, { minItems: 1, maxItems: 1000 }) },
  { additionalProperties: false },
)

export const RequestBody = Type.Object(
  {
    topic: Type.String({ minLength: 1 }),
    ...payloadFields,
    qos: Type.Optional(Type.Union([Type.Literal(0), Type.Literal(1), Type.Literal(2)])),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000, description: 'Default 5000.' })),
    properties: Type.Optional(Properties),
  },
  { additionalProperties: false },
)

export const HookBody = Type.Object(
  {
    filter: Type.String({ minLength: 1, description: 'A Topic Filter.' }),
    url: Type.String({ description: 'http: or https:' }),
    secret: Type.Optional(
      Type.String({
        minLength: 16,
        maxLength: 256,
        pattern: '^[^\\u0000]*$',
        description: 'Signs what is sent; default: one made here.',
      }),
    ),
  },
  { additionalProperties: false },
)

export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
})

export const IdParams = Type.Object({ id: Type.String({ maxLength: 64 }) })

export const MessagesQuery = Type.Object(
  {
    filter: Type.Optional(Type.String({ minLength: 1, description: 'A Topic Filter; default: #' })),
    since: Type.Optional(Type.String({ description: 'A cursor: only what stands behind it.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'Default 100.' })),
  },
  { additionalProperties: false },
)

export const StreamQuery = Type.Object(
  {
    filter: Type.Optional(Type.String({ minLength: 1, description: 'A Topic Filter; default: #' })),
    since: Type.Optional(Type.String({ description: 'A cursor, where there is no Last-Event-ID.' })),
  },
  { additionalProperties: false },
)

export const StreamHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({ description: 'A cursor: goes on behind it. A browser gives it by itself.' }),
  ),
})

export const Accepted = Type.Object(
  { id: Type.String(), status: Type.String() },
  { description: 'It is durable' },
)
export const AcceptedBatch = Type.Object(
  { ids: Type.Array(Type.String()), status: Type.String() },
  { description: 'All of them are durable' },
)

export const Ready = Type.Object(
  {
    status: Type.Literal('ready', { description: 'Commands are taken.' }),
    messages: Type.String({ description: 'ok, or unavailable: the log of messages cannot be read now.' }),
    workers: Type.Optional(
      Type.Object({
        alive: Type.Integer({ description: 'Workers that have said so in the last seconds.' }),
        connected: Type.Integer({ description: 'Those among them that have a connection to the broker.' }),
      }),
    ),
  },
  { description: 'Commands are taken' },
)
