import { connect as dial, type Socket } from 'node:net'

/** Connections that each ask again as soon as they are answered. */
export class HttpLoad {
  answers = 0
  private readonly sockets: Socket[]

  constructor(port: number, text: string, connections: number) {
    this.sockets = Array.from({ length: connections }, () => {
      const socket = dial(port, '127.0.0.1', () => socket.write(text))
      socket.setNoDelay(true).setEncoding('latin1')
      socket.on('data', (answer: unknown) => {
        // An answer is small, and comes in one piece.
        if (!String(answer).startsWith('HTTP/1.1 202')) throw new Error(`the answer was ${String(answer)}`)
        this.answers++
        socket.write(text)
      })
      return socket
    })
  }

  end(): void {
    for (const socket of this.sockets) socket.destroy()
  }
}
