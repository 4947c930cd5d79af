/**
 * A TCP proxy in front of PostgreSQL that misbehaves on request, for what networks do and servers never do: connections
 * that swallow everything without closing (half-open), answers lost after the statement was done, cuts, delays.
 */
import { connect, createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

export interface Link {
  /** From now on everything either side says vanishes; nothing is closed. */
  swallow(): void
  /** Only what the server says vanishes. */
  mute(): void
  /** Both ends are reset. */
  cut(): void
}

export interface Proxy {
  /** The given URL, through the proxy. */
  readonly url: string
  readonly links: ReadonlySet<Link>
  /** Every connection open now. */
  each(act: (link: Link) => void): void
  /** While true, new connections are swallowed from their first byte. */
  swallowNew: boolean
  /** Milliseconds that each chunk is held back, either way. */
  delayMs: number
  /** Called with what a client sends, before it is passed on; `link.swallow()` in it swallows that too. */
  onRequest: ((text: string, link: Link) => void) | null
  /** Called with what the server answers; `false` keeps it from the client. */
  onAnswer: ((text: string, link: Link) => boolean | void) | null
}

interface Owner {
  teardown(handler: () => unknown): unknown
}

export async function startProxy(t: Owner, url: string): Promise<Proxy> {
  const target = new URL(url)
  const [port, host] = [Number(target.port), target.hostname]
  const links = new Set<Link>()
  const sockets = new Set<Socket>()
  const proxy = {
    url: '',
    links,
    each: (act: (link: Link) => void) => [...links].forEach(act),
    swallowNew: false,
    delayMs: 0,
    onRequest: null,
    onAnswer: null,
  } as Proxy & { url: string }

  const server = createServer((client) => {
    const upstream = connect(port, host)
    const state = { deaf: proxy.swallowNew, mute: proxy.swallowNew }
    const link: Link = {
      swallow: () => void (state.deaf = state.mute = true),
      mute: () => void (state.mute = true),
      cut() {
        client.resetAndDestroy()
        upstream.resetAndDestroy()
      },
    }
    links.add(link)
    const pass = (to: Socket, chunk: Buffer): void => {
      if (proxy.delayMs > 0) setTimeout(() => to.write(chunk), proxy.delayMs)
      else to.write(chunk)
    }
    client.on('data', (chunk) => {
      if (!state.deaf) proxy.onRequest?.(chunk.toString('latin1'), link)
      if (state.deaf) return
      pass(upstream, chunk)
    })
    upstream.on('data', (chunk) => {
      const wanted = proxy.onAnswer?.(chunk.toString('latin1'), link) !== false
      if (!state.mute && wanted) pass(client, chunk)
    })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        links.delete(link)
        // What was swallowed stays half-open: the other side is told nothing.
        if (!state.mute) other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  target.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  proxy.url = target.href
  return proxy
}
