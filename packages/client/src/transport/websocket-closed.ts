/** The peer closed the WebSocket and said that it did not do so in order. */
export class WebSocketClosedError extends Error {
  readonly code = 'WEBSOCKET_CLOSED'
  readonly status: number

  constructor(status: number, reason: string) {
    super(`the WebSocket closed with ${status}${reason === '' ? '' : `: ${reason}`}`)
    this.name = 'WebSocketClosedError'
    this.status = status
  }
}
