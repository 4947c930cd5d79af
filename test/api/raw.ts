/** HTTP as bytes on a socket, for what no client would send: odd addresses, slow and broken requests. */
import { connect } from 'node:net'

export interface RawAnswer {
  status: number
  head: string
  body: string
}

/** Sends text and answers what came back when the server closed the connection, or when a whole answer was there. */
export function sendRaw(port: number, text: string, timeoutMs = 8000): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      const [head = '', body = ''] = received.split('\r\n\r\n', 2)
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0), head, body })
    }
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no whole answer within ${timeoutMs} ms: ${JSON.stringify(received)}`))
    }, timeoutMs)
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      received += chunk
      const [head, body] = received.split('\r\n\r\n', 2)
      const length = Number(/content-length: (\d+)/i.exec(head!)?.[1] ?? Number.NaN)
      if (body !== undefined && (Buffer.byteLength(body) >= length || /^HTTP\/1\.1 (204|304)/.test(head!)))
        done()
    })
    socket.on('close', done)
    socket.on('error', done)
  })
}

export function portOf(base: string): number {
  return Number(new URL(base).port)
}
