import type {
  Connect,
  ProtocolVersion,
  PublishProperties,
  QoS,
  ReasonCode,
  Subscription,
} from '@pipit/protocol'
import type {
  Access,
  Authenticate,
  AuthenticationResult,
  Authorize,
  ConnectRequest,
} from './auth/authenticate.ts'

/** A client as hooks see it. */
export interface HookClient {
  readonly clientId: string
  readonly username: string | undefined
  /** Undefined for the will of a client that is gone. */
  readonly remoteAddress: string | undefined
  readonly protocolVersion: ProtocolVersion | undefined
}

/** An operation that is not to be: the client is told the code where its version can say it. */
export interface Refusal {
  /** 0x80 or above. */
  readonly reasonCode: ReasonCode
  /** For clients that want it, when the broker sends Reason Strings. */
  readonly reasonString?: string
}

/** An application message as hooks see it. The payload is a view: copy what is to be kept or changed. */
export interface HookMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly properties: PublishProperties | undefined
}

/** What becomes of a message: nothing said, it goes on as it is; `drop`, it is acknowledged and forgotten;
 *  a refusal; or what is to be different about it. */
export type PublishVerdict =
  | undefined
  | 'drop'
  | Refusal
  | {
      readonly topic?: string
      readonly payload?: Uint8Array | string
      readonly retain?: boolean
      readonly properties?: PublishProperties
    }

/** What becomes of a subscription: nothing said, it is granted as wanted; a refusal; or a lower QoS. */
export type SubscribeVerdict = undefined | Refusal | { readonly qos: QoS }

type Answer<T> = T | Promise<T>
// A hook may also return nothing at all.
// biome-ignore lint/suspicious/noConfusingVoidType: a function without return is of type void
type Silent = void

/** What an embedder may decide or watch. Each may answer at once or with a promise, and is awaited: the client's
 *  next packet is handled afterwards, others do not wait. One that throws or rejects refuses what it was asked
 *  about, and is logged; it never ends the broker. */
export interface Hooks {
  /** Decides who may connect; without it, everyone may. */
  readonly authenticate?: Authenticate
  /** Decides who may publish, subscribe and receive what; without it, everyone everything. */
  readonly authorize?: Authorize
  /** A client is about to be let in: before its session is opened or taken over, and before CONNACK. */
  readonly onConnect?: (client: HookClient, packet: Connect) => Answer<Refusal | Silent>
  /** A client that was let in is gone. */
  readonly onDisconnect?: (client: HookClient, why: string) => Answer<Silent>
  /** A client, or its will, publishes a message that it may publish. Not asked about `broker.publish`. */
  readonly onPublish?: (client: HookClient, message: HookMessage) => Answer<PublishVerdict | Silent>
  /** A client subscribes to what it may subscribe to. */
  readonly onSubscribe?: (client: HookClient, subscription: Subscription) => Answer<SubscribeVerdict | Silent>
  /** A message was delivered: QoS 0 handed to the connection, QoS 1 and 2 acknowledged by the client. */
  readonly onDelivered?: (client: HookClient, message: HookMessage) => Answer<Silent>
}

/** Says that a hook failed, and with what. */
export type ReportFailure = (hook: keyof Hooks, error: unknown) => void

const FAILED: Refusal = { reasonCode: 0x80 }
const NOT_AUTHORISED: Refusal = { reasonCode: 0x87 }

/** Asks the hooks. An answer that comes at once is used at once; a promise is given back to be awaited. */
export class HookRunner {
  /** True when no hook wants to see each message. */
  readonly plain: boolean
  /** True when a hook decides who may publish what. */
  readonly decides: boolean
  private readonly hooks: Hooks
  private readonly failed: ReportFailure

  constructor(hooks: Hooks, failed: ReportFailure) {
    this.hooks = hooks
    this.failed = failed
    this.decides = hooks.authorize !== undefined
    this.plain = hooks.onPublish === undefined && hooks.onDelivered === undefined
  }

  authenticate(request: ConnectRequest): Answer<AuthenticationResult> {
    const { authenticate } = this.hooks
    if (authenticate === undefined) return LET_IN
    const answer = this.ask('authenticate', () => authenticate(request), FAILED)
    return isPromise(answer) ? answer.then(resultOf) : resultOf(answer)
  }

  authorize(client: Parameters<Authorize>[0], access: Access, topic: string): Answer<boolean> {
    const { authorize } = this.hooks
    return authorize === undefined || this.ask('authorize', () => authorize(client, access, topic), false)
  }

  /** As `authorize`, where nobody can wait. */
  authorizeReceiving(client: Parameters<Authorize>[0], topic: string): boolean {
    const answer = this.authorize(client, 'receive', topic)
    if (!isPromise(answer)) return answer
    this.failed('authorize', new TypeError("a promise for access 'receive', which is decided at once"))
    return false
  }

  /** Calls `then` with a refusal, or nothing. The promise, when there is one, is to be awaited. */
  connect(
    client: HookClient,
    packet: Connect,
    then: (refusal: Refusal | undefined) => void,
  ): Promise<void> | undefined {
    const { onConnect } = this.hooks
    if (onConnect === undefined) return void then(undefined)
    return this.use<Refusal | Silent>(
      'onConnect',
      () => onConnect(client, packet),
      FAILED,
      (refusal) => then(refusal ?? undefined),
    )
  }

  disconnected(client: HookClient, why: string): void {
    const { onDisconnect } = this.hooks
    if (onDisconnect !== undefined) this.ask('onDisconnect', () => onDisconnect(client, why), undefined)
  }

  publish(
    client: HookClient,
    message: HookMessage,
    then: (verdict: PublishVerdict) => void,
  ): Promise<void> | undefined {
    const { onPublish } = this.hooks
    if (onPublish === undefined) return void then(undefined)
    const { topic, payload, qos, retain, properties } = message
    const shown = { topic, payload, qos, retain, properties }
    return this.use<PublishVerdict | Silent>(
      'onPublish',
      () => onPublish(client, shown),
      FAILED,
      (verdict) => then(verdict ?? undefined),
    )
  }

  /** @returns the QoS granted, or the code of a refusal */
  subscribe(client: HookClient, wanted: Subscription): Answer<ReasonCode> {
    const allowed = this.authorize(client, 'subscribe', wanted.topicFilter)
    const { onSubscribe } = this.hooks
    if (onSubscribe === undefined && !isPromise(allowed))
      return granted(wanted, allowed ? undefined : NOT_AUTHORISED)
    return this.consider(client, wanted, allowed, onSubscribe)
  }

  private async consider(
    client: HookClient,
    wanted: Subscription,
    allowed: Answer<boolean>,
    onSubscribe: Hooks['onSubscribe'],
  ): Promise<ReasonCode> {
    if (!(await allowed)) return granted(wanted, NOT_AUTHORISED)
    if (onSubscribe === undefined) return wanted.qos
    const verdict = await this.ask<SubscribeVerdict | Silent>(
      'onSubscribe',
      () => onSubscribe(client, wanted),
      FAILED,
    )
    return granted(wanted, verdict ?? undefined)
  }

  delivered(client: () => HookClient, message: HookMessage): void {
    const { onDelivered } = this.hooks
    if (onDelivered === undefined) return
    const { topic, payload, qos, retain, properties } = message
    this.ask(
      'onDelivered',
      () => onDelivered(client(), { topic, payload, qos, retain, properties }),
      undefined,
    )
  }

  /** Asks, and goes on with `then`, whose own errors are the caller's. */
  private use<T>(
    hook: keyof Hooks,
    call: () => Answer<T>,
    otherwise: T,
    then: (answer: T) => void,
  ): Promise<void> | undefined {
    const answer = this.ask(hook, call, otherwise)
    if (isPromise(answer)) return answer.then(then)
    then(answer)
    return undefined
  }

  /** @param otherwise what counts when the hook fails */
  private ask<T>(hook: keyof Hooks, call: () => Answer<T>, otherwise: T): Answer<T> {
    const fail = (error: unknown): T => {
      this.failed(hook, error)
      return otherwise
    }
    try {
      const answer = call()
      return isPromise(answer) ? Promise.resolve(answer).catch(fail) : answer
    } catch (error) {
      return fail(error)
    }
  }
}

const LET_IN: AuthenticationResult = { reasonCode: 0 }

function resultOf(answer: boolean | AuthenticationResult): AuthenticationResult {
  if (typeof answer !== 'boolean') return answer
  return answer ? LET_IN : { reasonCode: 0x86 }
}

function granted(wanted: Subscription, verdict: SubscribeVerdict): ReasonCode {
  if (verdict === undefined) return wanted.qos
  return 'reasonCode' in verdict ? verdict.reasonCode : (Math.min(verdict.qos, wanted.qos) as QoS)
}

/** Also what is no Promise of ours but acts as one. */
export function isPromise<T>(answer: Answer<T>): answer is Promise<T> {
  return typeof (answer as Partial<Promise<T>> | undefined)?.then === 'function'
}
