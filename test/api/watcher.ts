/** A reader of server-sent events over a real socket, as plain as can be. */
import http from 'node:http'

export interface Event {
  event: string
  data: any
  id: string | undefined
  /** performance.now() when it came. */
  at: number
}

export interface Watcher {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly events: Event[]
  /** Lines that begin with a colon. */
  readonly comments: string[]
  /** True once the server has ended the stream. */
  readonly ended: boolean
  readonly states: string[]
  readonly raw: string
  pause(): void
  resume(): void
  stop(): void
}

export function watch(
  base: string,
  path: string,
  key: string,
  headers: Record<string, string> = {},
): Promise<Watcher> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      base + path,
      { agent: false, headers: { authorization: `Bearer ${key}`, ...headers } },
      (response) => {
        const seen = { raw: '', ended: false, events: [] as Event[], comments: [] as string[] }
        let rest = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          seen.raw += chunk
          const blocks = (rest + chunk).split('\n\n')
          rest = blocks.pop()!
          for (const block of blocks) {
            if (block.startsWith(':')) seen.comments.push(block)
            else seen.events.push(parse(block))
          }
        })
        response.on('end', () => (seen.ended = true))
        response.on('error', () => (seen.ended = true))
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          events: seen.events,
          comments: seen.comments,
          get ended() {
            return seen.ended
          },
          get states() {
            return seen.events.map(({ data }) => data.state as string)
          },
          get raw() {
            return seen.raw
          },
          pause: () => void response.pause(),
          resume: () => void response.resume(),
          stop: () => void request.destroy(),
        })
      },
    )
    request.on('error', reject)
  })
}

function parse(block: string): Event {
  const fields = Object.fromEntries(
    block.split('\n').map((line) => {
      const colon = line.indexOf(': ')
      return [line.slice(0, colon), line.slice(colon + 2)]
    }),
  )
  return { event: fields.event!, data: JSON.parse(fields.data!), id: fields.id, at: performance.now() }
}
