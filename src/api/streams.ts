/**
 * One stream per watcher of a run. The first event is the run as it is, then comes one for each change, and after a finished
 * state the stream ends. To a watcher who reads slower than the run changes only the latest is kept.
 */
import type { FastifyReply } from 'fastify'
import { isFinished, type RunDocument } from '../results/run.ts'
import type { EventStreams } from './event-streams.ts'
import { newsOf, type News, type RunFeed } from './feed.ts'

export interface Streams {
  /** Takes the response over, and tells nothing that was `seen`. Throws RB_STREAMS_FULL before it does. */
  open(reply: FastifyReply, run: RunDocument, proof: string, seen?: string): void
}

export function createStreams(feed: RunFeed, sockets: EventStreams): Streams {
  return Object.freeze({
    open(reply: FastifyReply, run: RunDocument, proof: string, seen?: string) {
      let leave = (): void => {}
      const news = newsOf(run)
      const first = news.version === seen ? ': as seen\n\n' : frame(news)
      const stream = sockets.open(reply, { key: proof, scopes: ['runs:read'], first, onClose: () => leave() })
      if (isFinished(run.state)) return stream.end()
      leave = feed.follow(run, (news) => {
        if (news) stream.send(frame(news))
        if (!news || isFinished(news.state)) stream.end()
      })
    },
  })
}

/** The id is what the client sends as Last-Event-ID when it comes back: what it has seen is not told again. */
function frame({ json, version }: News): string {
  return `event: run\ndata: ${json}\nid: ${version}\n\n`
}
