import { MqttError } from '@pipit/client'
import type { FastifyError } from 'fastify'
import { EngineUnavailableError } from '../errors.ts'
import { type FieldFault, Problem } from './problem.ts'

/** What the answer to a request is that failed. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof EngineUnavailableError) return new Problem(503, error.message, { retryAfter: 1 })
  if (error instanceof MqttError) return brokerProblem(error)
  const { statusCode, code, message } = error as FastifyError
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Problem(413, message)
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new Problem(415, `${message}; send application/json`)
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new Problem(statusCode, message)
  return new Problem(500, 'the request could not be answered; the log says why')
}

function brokerProblem({ code, message }: MqttError): Problem {
  if (code === 'TIMEOUT') return new Problem(504, message)
  if (code === 'NOT_SUPPORTED') return new Problem(501, message)
  if (code === 'REQUEST_REFUSED' || code === 'PACKET_TOO_LARGE') return new Problem(502, message)
  return new Problem(503, `the broker: ${message}`, { retryAfter: 1 })
}

/** A fault as the validator reports it. */
export interface SchemaFault {
  readonly keyword: string
  readonly instancePath: string
  readonly params?: unknown
  readonly message?: string
}

/** What is wrong with a request, field by field.
 *  @param part `body`, `querystring`, `params` or `headers` */
export function schemaProblem(faults: readonly SchemaFault[], part: string): Problem {
  const named = faults.filter(({ keyword }) => keyword !== 'boolean').flatMap(fieldsOf)
  // Of the parts of a choice only the choice itself is worth a word.
  const choices = new Set(named.filter(({ isChoice }) => isChoice).map(({ field }) => field))
  const fields = named
    .filter(({ field, isChoice }) => isChoice || !choices.has(field))
    .map(({ field, message }) => ({ field: part === 'body' ? field : field.replace('/', ''), message }))
  return new Problem(400, fields.map(({ field, message }) => `${field} ${message}`).join('; '), { fields })
}

function fieldsOf({ keyword, instancePath, params, message = 'is not valid' }: SchemaFault) {
  const listed = params as { requiredProperties?: string[]; additionalProperties?: string[] } | undefined
  const fault = (name: string, said: string): FieldFault & { isChoice: boolean } => ({
    field: `${instancePath}${name}` || '/',
    message: said,
    isChoice: keyword === 'anyOf',
  })
  if (keyword === 'required') {
    return (listed?.requiredProperties ?? []).map((name) => fault(`/${name}`, 'is missing'))
  }
  if (keyword === 'additionalProperties') {
    return (listed?.additionalProperties ?? []).map((name) => fault(`/${name}`, 'is not known here'))
  }
  if (keyword === 'anyOf') return [fault('', 'is none of the values that it takes')]
  return [fault('', message)]
}
