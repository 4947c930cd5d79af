/**
 * GET /v1/runs/{id}/logs/events: what a handler says, as it says it. The id of each event is that of the line, so a client that
 * comes back with Last-Event-ID goes on where it was; after the end of a run and its last line the stream ends.
 */
import type { FastifyInstance } from 'fastify'
import { nowMs } from '../../clock.ts'
import type { RunControl } from '../../control/runs.ts'
import { isFinished } from '../../results/run.ts'
import { endpoint } from '../endpoint.ts'
import type { EventStreams } from '../event-streams.ts'
import type { RunFeed } from '../feed.ts'
import { callerOf, proofOf } from '../guard.ts'
import type { LogFeed } from '../log-feed.ts'
import { refuseQuery } from '../query.ts'
import { idOf } from './run-parts.ts'

/** What a run that ended so long ago said is all stored. */
const OLD_MS = 1500

const FOLLOW = endpoint(
  { auth: 'scope', scope: 'runs:read' },
  {
    id: 'followLogs',
    tag: 'runs',
    summary: 'What its handler said, and says, as server-sent events',
    description:
      'Each event named `log` is a line, oldest first, with its `seq` as id. After the run has ended comes one named `end`, and the stream ends.',
    headers: { 'Last-Event-ID': { type: 'string', description: 'Of the line that was seen last' } },
    answers: {
      200: { description: 'A stream of lines', schema: { type: 'string' }, type: 'text/event-stream' },
      204: { description: 'The end was seen: there is nothing to come' },
    },
    problems: ['RB_RUN_NOT_FOUND', 'RB_STREAMS_FULL'],
  },
)

export interface LogTailParts {
  control: RunControl
  feed: RunFeed
  logs: LogFeed
  sockets: EventStreams
}

export function runLogTailRoutes(app: FastifyInstance, { control, feed, logs, sockets }: LogTailParts): void {
  const options = { ...FOLLOW, exposeHeadRoute: false }
  app.get('/v1/runs/:id/logs/events', options, async (request, reply) => {
    refuseQuery(request.query)
    const run = await control.read(callerOf(request), idOf(request))
    const seen = String(request.headers['last-event-id'] ?? '')
    if (seen === 'end') return reply.code(204).send()
    let leave = (): void => {}
    const stream = sockets.open(reply, {
      key: proofOf(request),
      scopes: ['runs:read'],
      first: ': lines\n\n',
      onClose: () => leave(),
    })
    const tail = logs.follow(run.id, /^\d{1,15}$/.test(seen) ? Number(seen) : 0, {
      hasRoom: () => !stream.isFull,
      onLines: (lines) => stream.send(lines.map((line) => frame('log', String(line.seq), line)).join('')),
      onEnd() {
        stream.send(frame('end', 'end', {}))
        stream.end()
      },
    })
    const unfollow = isFinished(run.state)
      ? tail.finish(Date.parse(run.finished_at!) < nowMs() - OLD_MS)
      : feed.follow(run, (news) => {
          if (!news || isFinished(news.state)) tail.finish(false)
        })
    leave = () => {
      tail.leave()
      unfollow?.()
    }
    return reply
  })
}

function frame(event: string, id: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\nid: ${id}\n\n`
}
