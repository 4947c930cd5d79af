/**
 * A run and each change of it, or what it says, as an async iterator over server-sent events. A stream that breaks is opened again, with
 * Last-Event-ID, so that what was seen is not told twice; it ends after a finished state. EventSource would do the same, but
 * cannot send a key.
 */
import { isFinished, type RunDocument } from '../results/run.ts'
import type { LogDocument } from '../db/statements/run-parts.ts'
import { ApiProblem, ApiUnreachable, type Call } from './call.ts'

const RETRY_MS = 250
const RETRY_MAX_MS = 10_000

export interface WatchOptions {
  signal?: AbortSignal
  /** Milliseconds before the first of a row of tries to connect again; default 250. Each waits twice as long, 10 s at most. */
  retryMs?: number
}

/** Throws ApiProblem where the API says no; while it is away, or full, it is asked again. */
export async function* watchEvents(
  call: Call,
  path: string,
  options: WatchOptions = {},
): AsyncGenerator<RunDocument, void, undefined> {
  let seen = ''
  const isLast = ({ data }: Frame): boolean => isFinished((JSON.parse(data) as RunDocument).state)
  for await (const { data } of readEvents(call, path, options, isLast)) {
    if (data !== seen) yield JSON.parse(data) as RunDocument
    seen = data
  }
}

/** Each line that a run says, until it has ended; as watchEvents. */
export async function* followLogs(
  call: Call,
  path: string,
  options: WatchOptions = {},
): AsyncGenerator<LogDocument, void, undefined> {
  const isLast = ({ event }: Frame): boolean => event === 'end'
  for await (const frame of readEvents(call, path, options, isLast))
    if (!isLast(frame)) yield JSON.parse(frame.data) as LogDocument
}

/** `opened` is told each time the stream stands, for those whose events have no ids: what happened meanwhile is told by nobody. */
export async function* readEvents(
  call: Call,
  path: string,
  { signal, retryMs = RETRY_MS }: WatchOptions,
  isLast: (frame: Frame) => boolean,
  opened?: Frame,
): AsyncGenerator<Frame, void, undefined> {
  let seen: string | undefined
  let delayMs = retryMs
  for (;;) {
    // Cancelling what is read leaves the connection open in some; aborting the request closes it in all.
    const over = new AbortController()
    const end = signal ? AbortSignal.any([signal, over.signal]) : over.signal
    try {
      const headers = {
        accept: 'text/event-stream',
        ...(seen === undefined ? {} : { 'last-event-id': seen }),
      }
      const response = await call({ method: 'GET', path, options: { signal: end, headers } })
      if (response.status === 204) return
      if (opened) yield opened
      for await (const frame of readFrames(response)) {
        delayMs = retryMs
        if (frame.id !== '') seen = frame.id
        yield frame
        if (isLast(frame)) return
      }
    } catch (error) {
      if (signal?.aborted || !comesBack(error)) throw error
      delayMs = Math.max(delayMs, ((error as Partial<ApiProblem>).retryAfter ?? 0) * 1000)
    } finally {
      over.abort()
    }
    await pause(delayMs, signal)
    delayMs = Math.min(RETRY_MAX_MS, delayMs * 2)
  }
}

/** A broken stream, a server that restarts or is full. */
function comesBack(error: unknown): boolean {
  if (error instanceof ApiProblem) return error.status === 429 || error.status >= 500
  return error instanceof ApiUnreachable || error instanceof TypeError
}

export interface Frame {
  event: string
  data: string
  id: string
}

async function* readFrames(response: Response): AsyncGenerator<Frame, void, undefined> {
  const reader = response.body!.getReader()
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      text += decoder.decode(value, { stream: true })
      const frames = text.split('\n\n')
      text = frames.pop()!
      for (const frame of frames) {
        const field = (name: string): string =>
          frame
            .split('\n')
            .filter((line) => line.startsWith(`${name}: `))
            .map((line) => line.slice(name.length + 2))
            .join('\n')
        if (field('data') !== '') yield { event: field('event'), data: field('data'), id: field('id') }
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal!.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}
