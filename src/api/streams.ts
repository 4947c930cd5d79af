/**
 * Server-sent events: one stream per watcher of a run. The first event is the run as it is, then comes one
 * for each change, and after a finished state the stream ends. A silent stream gets a comment every 15 s, so
 * that nobody on the way takes it for dead. To a watcher who reads slower than the run changes only the
 * latest is kept, and one who reads nothing for 30 s is let go. Once a second the keys of all open streams
 * are checked again: a revoked one ends them.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import type { Keyring } from '../auth/keyring.ts'
import { requireScope } from '../auth/scopes.ts'
import { monotonicMs } from '../clock.ts'
import { AccessError, RequestError } from '../errors.ts'
import { isFinished, type RunDocument } from '../results/run.ts'
import { newsOf, type News, type RunFeed } from './feed.ts'

export interface Streams {
  /** Takes the response over, and tells nothing that was `seen`. Throws RB_STREAMS_FULL before it does. */
  open(reply: FastifyReply, run: RunDocument, key: string, seen?: string): void
  /** Ends every stream. */
  close(): void
}

const STUCK_MS = 30_000
const CHECK_MS = 1000

interface Stream {
  raw: ServerResponse
  key: string
  /** When something was last handed to the socket. */
  wroteMs: number
  /** The latest event that the socket has no room for. */
  pending: string | null
  ended: boolean
}

export interface StreamsOptions {
  /** Streams open at once. */
  limit: number
  /** Milliseconds of silence before a comment. */
  pingMs: number
}

export function createStreams(feed: RunFeed, keyring: Keyring, { limit, pingMs }: StreamsOptions): Streams {
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
    try {
      requireScope(await keyring.identify(key), 'runs:read')
    } catch (error) {
      // When the database is away, the key was good when it was last seen.
      if (!(error instanceof AccessError)) return
      for (const stream of streams) if (stream.key === key) end(stream)
    }
  }

  return Object.freeze({
    open(reply: FastifyReply, run: RunDocument, key: string, seen?: string) {
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
      const stream: Stream = { raw, key, wroteMs: monotonicMs(), pending: null, ended: false }
      const news = newsOf(run)
      // Something goes out at once either way, so that who stands between does not hold the head back.
      write(stream, news.version === seen ? ': as seen\n\n' : frame(news))
      if (isFinished(run.state)) return end(stream)
      const leave = feed.follow(run, (news) => {
        if (news) send(stream, frame(news))
        if (!news || isFinished(news.state)) end(stream)
      })
      streams.add(stream)
      timer ??= setInterval(look, Math.min(CHECK_MS, pingMs)).unref()
      raw.on('drain', () => {
        const { pending } = stream
        stream.pending = null
        if (pending !== null) write(stream, pending)
        if (stream.ended) raw.end()
      })
      raw.on('error', () => raw.destroy())
      raw.on('close', () => {
        leave()
        streams.delete(stream)
      })
    },
    close() {
      clearInterval(timer)
      for (const stream of streams) end(stream)
    },
  })
}

/** The id is what the client sends as Last-Event-ID when it comes back: what it has seen is not told again. */
function frame({ json, version }: News): string {
  return `event: run\ndata: ${json}\nid: ${version}\n\n`
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

/** Ends the stream once what is pending has gone out. */
function end(stream: Stream): void {
  stream.ended = true
  if (stream.pending === null && !stream.raw.writableEnded) stream.raw.end()
}
