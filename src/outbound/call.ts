/**
 * One HTTP call to an address that somebody else chose. Its guard stands where the connection is made: the addresses that a
 * name resolves to are judged in the lookup of that very connection, so a name cannot be one thing when it is checked and
 * another when it is called. One address in the answer that may not be called is enough to refuse all.
 *
 * Redirects are not followed: they are told as what was answered. Each call has a connection of its own (no agent of the
 * process, so no proxy of the environment either), a time for all of it, and takes so many bytes and no more.
 */
import { lookup as resolveName } from 'node:dns'
import {
  request as requestHttp,
  Agent as HttpAgent,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http'
import { request as requestHttps, Agent as HttpsAgent } from 'node:https'
import type { LookupFunction } from 'node:net'
import { OutboundError, RowbeatError } from '../errors.ts'
import { VERSION } from '../version.ts'
import type { Policy } from './policy.ts'
import { judgeAddress, readTarget, type Target } from './target.ts'

export interface Call {
  url: string
  method: string
  headers: Readonly<Record<string, string>>
  body: string | null
  /** Milliseconds from the look-up of the name to the last byte. */
  timeoutMs: number
  /** Bytes of the answer to keep; the rest is not read. */
  bytesMax: number
  signal: AbortSignal
}

export interface Answer {
  status: number
  headers: Readonly<Record<string, string | readonly string[]>>
  body: Buffer
  /** There was more of it. */
  isCut: boolean
}

export interface Resolved {
  address: string
  family: number
}
/** What a name resolves to; the system's way unless a test has another. */
export type Resolve = (host: string) => Promise<readonly Resolved[]>

/** Throws OutboundError: RB_OUTBOUND_REFUSED (nothing was sent), RB_OUTBOUND_FAILED, RB_OUTBOUND_TIMEOUT. */
export async function callUrl(
  call: Call,
  policy: Policy,
  resolve: Resolve = resolveBySystem,
): Promise<Answer> {
  const target = readTarget(call.url, policy)
  const late = AbortSignal.timeout(call.timeoutMs)
  const signal = AbortSignal.any([call.signal, late])
  try {
    signal.throwIfAborted()
    return await exchange(call, target, guardedLookup(target, policy, resolve), signal)
  } catch (error) {
    if (error instanceof RowbeatError) throw error
    if (call.signal.aborted) throw call.signal.reason
    const { host, port } = target
    if (late.aborted)
      throw new OutboundError(
        'RB_OUTBOUND_TIMEOUT',
        `${host}:${port} did not answer within ${call.timeoutMs / 1000} s.`,
        { cause: error },
      )
    const { code, message } = error as { code?: string; message: string }
    throw new OutboundError('RB_OUTBOUND_FAILED', `${host}:${port} was not reached: ${code ?? message}.`, {
      cause: error,
    })
  }
}

function exchange(call: Call, target: Target, lookup: LookupFunction, signal: AbortSignal): Promise<Answer> {
  const isSecure = target.url.protocol === 'https:'
  const options: RequestOptions & { rejectUnauthorized?: boolean } = {
    method: call.method,
    headers: {
      'user-agent': `rowbeat/${VERSION}`,
      accept: '*/*',
      ...call.headers,
      'accept-encoding': 'identity',
      connection: 'close',
      ...(call.body === null ? {} : { 'content-length': Buffer.byteLength(call.body) }),
    },
    lookup,
    signal,
    insecureHTTPParser: false,
    maxHeaderSize: 16_384,
    agent: isSecure ? new HttpsAgent({ rejectUnauthorized: true }) : new HttpAgent({}),
  }
  return new Promise((resolve, reject) => {
    const request = (isSecure ? requestHttps : requestHttp)(target.url, options)
    request.on('error', reject)
    // An answer that switches protocols has no listener: the connection is closed, and this is how that is heard. Once there is
    // an answer it is what tells of a broken connection: a whole one may still be read when the request is closed.
    const hearClose = (): void =>
      reject(new OutboundError('RB_OUTBOUND_FAILED', `${target.host} closed the connection.`))
    request.on('close', hearClose)
    request.on('response', (response) => {
      request.off('close', hearClose)
      readBody(response, call.bytesMax).then(({ body, isCut }) => {
        resolve({ status: response.statusCode!, headers: headersOf(response), body, isCut })
        request.destroy()
      }, reject)
    })
    request.end(call.body ?? undefined)
  })
}

async function readBody(response: IncomingMessage, most: number): Promise<Pick<Answer, 'body' | 'isCut'>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > most) break
  }
  return { body: Buffer.concat(chunks).subarray(0, most), isCut: size > most }
}

function headersOf({ headers }: IncomingMessage): Answer['headers'] {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string | string[]] => entry[1] !== undefined),
  )
}

/** The look-up that node:net makes for the connection itself: what it answers is what is connected to. */
function guardedLookup(target: Target, policy: Policy, resolve: Resolve): LookupFunction {
  return (host, { all }, done) => {
    resolve(host).then(
      (found) => {
        try {
          for (const { address } of found) judgeAddress(target, address, policy)
        } catch (error) {
          return done(error as Error, [])
        }
        const [first] = found
        if (!first) done(new OutboundError('RB_OUTBOUND_FAILED', `${target.host} has no address.`), [])
        else if (all) done(null, [...found])
        else done(null, first.address, first.family)
      },
      (error: Error) => done(error, []),
    )
  }
}

const resolveBySystem: Resolve = (host) =>
  new Promise((resolve, reject) => {
    resolveName(host, { all: true }, (error, found) => (error ? reject(error) : resolve(found)))
  })
