/**
 * Somebody who is called: an HTTP server on this machine that keeps what came and answers as it is told.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Received {
  method: string
  path: string
  headers: Record<string, string>
  body: string
}
export interface Answering {
  status: number
  headers?: Record<string, string>
  body?: string | Buffer
}

export interface Receiver {
  readonly url: string
  readonly received: Received[]
  /** Answers by this from now on; 204 until it is called. */
  answer(by: (request: Received) => Answering): void
}

export async function startReceiver(owner: { teardown(handler: () => unknown): unknown }): Promise<Receiver> {
  const received: Received[] = []
  let by: (request: Received) => Answering = () => ({ status: 204 })
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const one: Received = {
      method: request.method!,
      path: request.url!,
      headers: request.headers as Record<string, string>,
      body,
    }
    received.push(one)
    const { status, headers = {}, body: said } = by(one)
    response.writeHead(status, headers).end(said)
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  owner.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: (next) => void (by = next),
  }
}
