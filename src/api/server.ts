/**
 * The HTTP server of `rowbeat api` and `rowbeat start`: Fastify with limits against slow and large clients,
 * the API, and problem documents for whatever goes wrong before a route is found. Routes of others (examples,
 * a panel) are registered beside the API by whoever starts the server; `close()` ends streams, lets requests
 * in flight finish, and listens no more.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import {
  fastify,
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { RequestError } from '../errors.ts'
import { rowbeatPlugin, type ApiOptions } from './plugin.ts'
import { createProblemHandler, describeProblem, PROBLEMS } from './problem.ts'
import { BODY_BYTES_MAX } from './routes/runs.ts'

export interface ServerOptions extends Omit<ApiOptions, 'prefix'> {
  /** A pino instance. */
  logger: FastifyBaseLogger
  /** Milliseconds a client may take to send a request; default 15,000. */
  requestTimeoutMs?: number
  /** Whose X-Forwarded-For is believed: addresses and networks; default nobody's. */
  trustProxy?: readonly string[] | null
}

/** Makes the server; it listens once `app.listen({ host, port })` is called. */
export function createServer(options: ServerOptions): FastifyInstance {
  const { logger, requestTimeoutMs = 15_000, trustProxy = null, ...rest } = options
  const sayProblem = createProblemHandler()
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: requestId,
    bodyLimit: BODY_BYTES_MAX,
    trustProxy: trustProxy ? [...trustProxy] : false,
    requestTimeout: requestTimeoutMs,
    // What comes on a connection that is still open while the server closes is answered as ever, and then it
    // is closed.
    return503OnClosing: false,
    http: { headersTimeout: requestTimeoutMs, connectionsCheckingInterval: Math.min(2000, requestTimeoutMs) },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      void sayProblem(error, request, reply),
    clientErrorHandler: answerBrokenRequest,
  }) as unknown as FastifyInstance

  app.setErrorHandler(sayProblem)
  app.setNotFoundHandler((request, reply) => {
    const error = new RequestError(
      'RB_ROUTE_UNKNOWN',
      `There is nothing at ${request.method} ${request.url.split('?', 1)[0]}.`,
    )
    return sayProblem(error, request, reply.header('x-request-id', request.id))
  })
  app.addHook('onResponse', async (request, reply) => {
    const [url] = request.url.split('?', 1)
    const { statusCode: status, elapsedTime } = reply
    request.log.debug({ method: request.method, url, status, ms: Math.round(elapsedTime) }, 'request')
  })
  app.register(rowbeatPlugin, rest)
  dropSilent(app)
  return app
}

/** A closing server waits for its connections, and for those too on which nothing has come yet: browsers open such ahead. */
function dropSilent(app: FastifyInstance): void {
  const open = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  app.addHook('preClose', async () => {
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
  })
}

/** The caller's own id of the request when it is a plain word, else a new one. */
function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given) ? given : randomUUID()
}

const BROKEN: Readonly<Record<string, [code: string, status: number, detail: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['RB_REQUEST_TIMEOUT', 408, 'The request took too long to arrive.'],
  HPE_HEADER_OVERFLOW: ['RB_REQUEST_INVALID', 431, 'The headers are larger than this server takes.'],
}

/** What is no HTTP never becomes a request: it is answered on the bare socket. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy(error)
  const [code, status, detail] = BROKEN[error.code ?? ''] ?? [
    'RB_REQUEST_INVALID',
    400,
    'This is not HTTP as it should be.',
  ]
  const body = JSON.stringify({ ...describeProblem(code, detail, '', randomUUID()), status })
  const reason = PROBLEMS[code]!.title
  const head = [
    `HTTP/1.1 ${status} ${reason}`,
    'Content-Type: application/problem+json',
    'Cache-Control: no-store',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
