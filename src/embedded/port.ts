/**
 * Ports of 127.0.0.1: whether one is free, and which one is. Asked by binding it, the only answer that
 * counts.
 */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

/**
 * `wanted` when nobody has it, otherwise (or for 0) a free one. Between asking and using, somebody may take
 * it.
 */
export async function freePort(wanted: number): Promise<number> {
  return (await bind(wanted)) ?? (await bind(0)) ?? wanted
}

function bind(port: number): Promise<number | null> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => {
      const taken = (server.address() as AddressInfo).port
      server.close(() => resolve(taken))
    })
  })
}
