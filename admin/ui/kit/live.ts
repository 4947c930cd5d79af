/**
 * What happens, as it happens: one stream of `/v1/live` for the whole tab, open while a page listens and the tab is in sight. A
 * hidden tab lets go of it (browsers allow six connections to a server, and nobody is looking), and
 * hears `{ event: 'open' }` when it is back, as after each break: then it asks anew for what it may have missed.
 */
import { useEffect, useRef } from 'react'
import { createBox, useBox } from './box.ts'
import { attendance } from './client.ts'
import { createFrameReader } from './frames.ts'
import { ROOT, signedOut } from './place.ts'

export interface LiveEvent {
  /** `open`: the stream stands (again). The rest is as the server names it. */
  event: string
  // oxlint-disable-next-line typescript/no-explicit-any -- each event has its own shape
  data: any
}

export type LiveHandler = (event: LiveEvent) => void

const HIDDEN_MS = 20_000
/** From one page to the next nobody listens for a moment. */
const IDLE_MS = 1000
const RETRY_MS = 500
const RETRY_MAX_MS = 15_000

const standing = createBox<'off' | 'on' | 'broken'>('off')
/** Off: nothing is asked for; the viewer's own switch. */
const wanted = createBox(true)
const stream = createStream()

/** Hears every event while the component is on the screen. The handler may change from drawing to drawing. */
export function useLive(handler: LiveHandler): void {
  const latest = useRef(handler)
  latest.current = handler
  useEffect(() => {
    const listener: LiveHandler = (event) => latest.current(event)
    return stream.hear(listener)
  }, [])
}

/** Whether it is live, and the switch for it. */
export function useLiveSwitch(): { state: 'off' | 'on' | 'broken'; live: boolean; set(live: boolean): void } {
  const state = useBox(standing)
  const live = useBox(wanted)
  return {
    state,
    live,
    set(next) {
      wanted.set(next)
      stream.look()
    },
  }
}

interface Stream {
  /** Answers how to stop it. */
  hear(listener: LiveHandler): () => void
  /** What is wanted may be other now. */
  look(): void
}

function createStream(): Stream {
  const listeners = new Set<LiveHandler>()
  let open: AbortController | null = null
  let hiding: ReturnType<typeof setTimeout> | undefined
  let delayMs = RETRY_MS

  const tell = (event: LiveEvent): void => {
    for (const listener of listeners) listener(event)
  }
  const close = (): void => {
    open?.abort()
    open = null
    standing.set('off')
  }
  const follow = async (over: AbortController): Promise<void> => {
    while (!over.signal.aborted) {
      try {
        await listen(over.signal)
      } catch {
        // It is asked again below, as after an end that nobody asked for.
      }
      if (over.signal.aborted) return
      standing.set('broken')
      await new Promise((done) => setTimeout(done, delayMs))
      delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)
    }
  }
  const listen = async (signal: AbortSignal): Promise<void> => {
    const response = await fetch(`${ROOT}/v1/live`, {
      headers: { accept: 'text/event-stream', ...attendance.headers() },
      signal,
    })
    if (!response.ok || !response.body) {
      if (response.status === 401) signedOut.set(true)
      // Signed out, or not allowed: to ask again and again changes nothing.
      if (response.status === 401 || response.status === 403 || response.status === 404)
        delayMs = RETRY_MAX_MS
      return
    }
    standing.set('on')
    delayMs = RETRY_MS
    tell({ event: 'open', data: null })
    const frames = createFrameReader()
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      for (const { event, data } of frames.read(value)) tell({ event, data: JSON.parse(data) })
    }
  }
  const look = (): void => {
    clearTimeout(hiding)
    if (!wanted.get()) return close()
    if (document.hidden || listeners.size === 0) {
      hiding = setTimeout(close, document.hidden ? HIDDEN_MS : IDLE_MS)
      return
    }
    if (open) return
    open = new AbortController()
    void follow(open)
  }
  document.addEventListener('visibilitychange', look)
  return {
    look,
    hear(listener) {
      listeners.add(listener)
      look()
      return () => {
        listeners.delete(listener)
        look()
      }
    },
  }
}
