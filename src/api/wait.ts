/**
 * `Prefer: wait=n` (RFC 7240): a request that is answered when its run has finished, or after n seconds with the run as it
 * is then. Who waits follows the run as a stream does (feed.ts): one LISTEN for all, no statement of his own. The reply is taken
 * over while it waits, because the deadline of a request is for the database, not for a run. Who goes away waits no longer; a process
 * that closes answers all who wait at once.
 */
import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Schema } from '../check.ts'
import { isFinished, type RunDocument } from '../results/run.ts'
import { newsOf, type News, type RunFeed } from './feed.ts'
import { describeProblem } from './problem.ts'

/** Longer waits end here: what stands between client and server drops connections that say nothing. */
export const WAIT_MAX = 60

export const PREFER: Schema = {
  type: 'string',
  description: `wait=n: the answer comes when the run has finished, at the latest after n seconds, ${WAIT_MAX} at most`,
}

/** Whole seconds of `wait`, capped; 0 without. What is not understood is no preference, as RFC 7240 has it. */
export function readWait(request: FastifyRequest): number {
  const { prefer } = request.headers
  const text = Array.isArray(prefer) ? prefer.join(',') : (prefer ?? '')
  const match = /(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])/i.exec(text)
  return match ? Math.min(Number(match[1]), WAIT_MAX) : 0
}

export interface Waits {
  /**
   * Takes the response over and answers the run: 200 once it has finished, else 202. False when too many wait already: then
   * nothing was done.
   */
  open(request: FastifyRequest, reply: FastifyReply, run: RunDocument, seconds: number): boolean
  /** Answers all who wait. */
  close(): void
}

export function createWaits(feed: RunFeed, limit: number): Waits {
  const waiting = new Set<() => void>()
  return Object.freeze({
    open(request: FastifyRequest, reply: FastifyReply, run: RunDocument, seconds: number) {
      if (waiting.size >= limit) return false
      reply.hijack()
      let news: News | null = newsOf(run)
      const end = (): void => {
        if (!waiting.delete(end)) return
        clearTimeout(timer)
        leave()
        if (!reply.raw.destroyed) answer(request, reply, news)
      }
      const timer = setTimeout(end, seconds * 1000)
      waiting.add(end)
      const leave = feed.follow(run, (latest) => {
        news = latest
        if (!latest || isFinished(latest.state)) end()
      })
      reply.header('preference-applied', `wait=${seconds}`)
      reply.raw.on('close', end)
      if (reply.raw.destroyed) end()
      return true
    },
    close() {
      for (const end of waiting) end()
    },
  })
}

function answer(request: FastifyRequest, reply: FastifyReply, news: News | null): void {
  const words = 'The run was deleted, or its result expired, while this request waited for it.'
  const [status, type, text] = news
    ? [isFinished(news.state) ? 200 : 202, 'application/json; charset=utf-8', news.json]
    : [
        404,
        'application/problem+json',
        JSON.stringify(describeProblem('RB_RUN_NOT_FOUND', words, request.url, request.id)),
      ]
  reply.raw.writeHead(status, {
    ...(reply.getHeaders() as OutgoingHttpHeaders),
    'content-type': type,
    'content-length': Buffer.byteLength(text),
  })
  reply.raw.end(text)
}
