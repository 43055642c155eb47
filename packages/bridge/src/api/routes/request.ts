import type { Static } from 'typebox'
import { payloadView } from '../../engine/view.ts'
import { mayPublish } from '../access.ts'
import { Response } from '../answers.ts'
import type { Routes } from '../context.ts'
import { checkedTopic, payloadOf, propertiesOf } from '../fields.ts'
import { RequestBody } from '../schemas.ts'

/** MQTT request and response as one call. */
export const requestRoutes: Routes = (app, { broker }) => {
  app.post<{ Body: Static<typeof RequestBody> }>(
    '/v1/request',
    {
      schema: {
        summary: 'Ask a device, and wait for its answer',
        body: RequestBody,
        answers: { 200: Response },
        refusals: [403, 501, 502, 503, 504],
      },
    },
    async ({ body, caller }) => {
      const topic = checkedTopic(body.topic, '/topic')
      mayPublish(caller, topic, '/topic')
      const {
        correlationData: _,
        responseTopic: __,
        ...properties
      } = propertiesOf(body.properties, '/properties') ?? {}
      const { qos = 1, timeoutMs = 5_000 } = body
      const response = await broker.request(topic, payloadOf(body, ''), { qos, timeoutMs, properties })
      const { contentType, userProperties } = response.properties
      return {
        ...payloadView(response.payload),
        qos: response.qos,
        properties: { contentType, userProperties },
      }
    },
  )
}
