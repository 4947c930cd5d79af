/**
 * Addresses that are listened on: what to call them, whether one can be had, and why not, in words.
 */
import { createServer } from 'node:net'
import { ConfigError } from '../errors.ts'

/** The address to give to people: `0.0.0.0` is no place to go to. */
export function addressOf(host: string, port: number): string {
  const place = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${place.includes(':') ? `[${place}]` : place}:${port}`
}

/** Asks by listening for a moment, so that a taken port is told before anything is started. Throws ConfigError. */
export async function requirePort(host: string, port: number): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explainListenError(error, host, port)))
    server.listen(port, host, () => server.close(() => resolve()))
  })
}

export function explainListenError(cause: NodeJS.ErrnoException, host: string, port: number): unknown {
  const words: Record<string, string> = {
    EADDRINUSE: `Port ${port} of ${host} is taken: stop what uses it, or set PORT to another (0 takes a free one).`,
    EACCES: `Port ${port} may not be used by this user: set PORT to one above 1023.`,
    EADDRNOTAVAIL: `${host} is no address of this machine: set HOST to one that is, such as 127.0.0.1 or 0.0.0.0.`,
    ENOTFOUND: `${host} is no known host name: set HOST to an address of this machine, such as 127.0.0.1 or 0.0.0.0.`,
  }
  const said = words[cause.code === 'EAI_AGAIN' ? 'ENOTFOUND' : (cause.code ?? '')]
  return said ? new ConfigError(said, { cause }) : cause
}
