/**
 * Sockets of server-sent events, whatever they tell. A silent stream gets a comment every 15 s, so that nobody on the way takes it
 * for dead. To a reader who is slower than the news only what its owner still thinks worth telling is kept, and one who reads
 * nothing for 30 s is let go. Once a second the credentials of all open streams are checked again: a revoked one ends them.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import type { Keyring } from '../auth/keyring.ts'
import { requireScope, type Scope } from '../auth/scopes.ts'
import { monotonicMs } from '../clock.ts'
import { AccessError, RequestError } from '../errors.ts'

export interface EventStream {
  /** The socket has no room: what is sent now waits, and takes the place of what waited. */
  readonly isFull: boolean
  /** Hands it to the socket, or keeps it, the latest only, until there is room. */
  send(text: string): void
  /** Ends the stream once what is kept has gone out. */
  end(): void
}

export interface Opening {
  /** What the caller proved himself with, to be asked again while the stream is open. */
  key: string
  /** Without one of these the stream ends. */
  scopes: readonly Scope[]
  /** Something goes out at once, so that who stands between does not hold the head back. */
  first: string
  /** There is room again, and nothing is kept. */
  onRoom?(): void
  onClose(): void
}

export interface EventStreams {
  /** Takes the response over. Throws RB_STREAMS_FULL before it does. */
  open(reply: FastifyReply, opening: Opening): EventStream
  /** Ends every stream. */
  close(): void
}

const STUCK_MS = 30_000
const CHECK_MS = 1000

interface Stream extends Opening {
  raw: ServerResponse
  /** When something was last handed to the socket. */
  wroteMs: number
  /** What the socket had no room for. */
  pending: string | null
  ended: boolean
}

export interface EventStreamsOptions {
  /** Streams open at once. */
  limit: number
  /** Milliseconds of silence before a comment. */
  pingMs: number
}

export function createEventStreams(keyring: Keyring, { limit, pingMs }: EventStreamsOptions): EventStreams {
  const streams = new Set<Stream>()
  let timer: NodeJS.Timeout | undefined

  const look = (): void => {
    const now = monotonicMs()
    for (const stream of streams) {
      if (now - stream.wroteMs < (stream.raw.writableNeedDrain ? STUCK_MS : pingMs)) continue
      if (stream.raw.writableNeedDrain) stream.raw.destroy()
      else write(stream, ': ping\n\n')
    }
    for (const key of new Set([...streams].map((stream) => stream.key))) void recheck(key)
  }
  const recheck = async (key: string): Promise<void> => {
    const own = [...streams].filter((stream) => stream.key === key)
    try {
      const caller = await keyring.identify(key)
      for (const stream of own) {
        try {
          for (const scope of stream.scopes) requireScope(caller, scope)
        } catch {
          end(stream)
        }
      }
    } catch (error) {
      // When the database is away, the key was good when it was last seen.
      if (error instanceof AccessError) for (const stream of own) end(stream)
    }
  }

  return Object.freeze({
    open(reply: FastifyReply, opening: Opening) {
      if (streams.size >= limit)
        throw new RequestError(
          'RB_STREAMS_FULL',
          `${limit} streams are open here: close some, or ask again later.`,
        )
      reply.hijack()
      const { raw } = reply
      raw.writeHead(200, {
        ...(reply.getHeaders() as OutgoingHttpHeaders),
        'content-type': 'text/event-stream; charset=utf-8',
        'x-accel-buffering': 'no',
      })
      const stream: Stream = { ...opening, raw, wroteMs: monotonicMs(), pending: null, ended: false }
      streams.add(stream)
      timer ??= setInterval(look, Math.min(CHECK_MS, pingMs)).unref()
      raw.on('drain', () => {
        const { pending } = stream
        stream.pending = null
        if (pending !== null) write(stream, pending)
        if (stream.ended) raw.end()
        else if (pending === null) stream.onRoom?.()
      })
      raw.on('error', () => raw.destroy())
      const close = (): void => {
        if (streams.delete(stream)) stream.onClose()
      }
      raw.on('close', close)
      // Gone while its first event was read: nothing will say so.
      if (raw.destroyed) setImmediate(close)
      write(stream, opening.first)
      return {
        get isFull() {
          return raw.writableNeedDrain
        },
        send: (text: string) => send(stream, text),
        end: () => end(stream),
      }
    },
    close() {
      clearInterval(timer)
      for (const stream of streams) end(stream)
    },
  })
}

function send(stream: Stream, text: string): void {
  if (stream.raw.writableNeedDrain) stream.pending = text
  else write(stream, text)
}

function write(stream: Stream, text: string): void {
  if (stream.raw.writableEnded || stream.raw.destroyed) return
  stream.wroteMs = monotonicMs()
  stream.raw.write(text)
}

function end(stream: Stream): void {
  stream.ended = true
  if (stream.pending === null && !stream.raw.writableEnded) stream.raw.end()
}
