/**
 * A client of HTTP/1.1 that costs next to nothing, since it shares the machine with what it measures: one socket a
 * caller, kept open, one request at a time on each, answers told apart by Content-Length.
 */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'

export interface Caller {
  /** Resolves with the status once the answer is whole. */
  post(path: string, body: string): Promise<number>
  close(): void
}

export async function openCaller(port: number, key: string | null): Promise<Caller> {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const headers = `Host: localhost\r\nContent-Type: application/json\r\n${key ? `Authorization: Bearer ${key}\r\n` : ''}`
  let text = ''
  let answered: { resolve(status: number): void; reject(error: Error): void } | null = null
  socket.setEncoding('latin1')
  socket.on('error', (error) => answered?.reject(error))
  socket.on('close', () => answered?.reject(new Error('the server closed the connection')))
  socket.on('data', (chunk: string) => {
    text += chunk
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) return
    const length = /content-length: (\d+)/i.exec(text.slice(0, end))
    if (text.length < end + 4 + Number(length?.[1] ?? 0)) return
    const status = Number(text.slice(9, 12))
    text = ''
    answered!.resolve(status)
  })
  return {
    post(path, body) {
      return new Promise((resolve, reject) => {
        answered = { resolve, reject }
        socket.write(
          `POST ${path} HTTP/1.1\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
        )
      })
    },
    close: () => void socket.destroy(),
  }
}
