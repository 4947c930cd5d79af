/**
 * DATABASE_URL as libpq reads it. The two drivers each read it in a way of their own: postgres.js sends `?host=` (a
 * socket's directory) to the server as a setting and leaves the name of the database encoded; node-postgres takes
 * `sslmode=require` for verify-full. Here it is read once, and each is told in its own words.
 */
import { readFileSync } from 'node:fs'
import { checkServerIdentity, type ConnectionOptions } from 'node:tls'
import type pg from 'pg'
import { ConfigError } from '../errors.ts'

type Tls = false | 'prefer' | ConnectionOptions

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify']

/** The URL without, and the options with, what postgres.js cannot read from it. Several hosts pass as they are. */
export function postgresJsAddress(text: string): {
  url: string
  host?: string
  database?: string
  ssl?: Tls
} {
  if (!URL.canParse(text)) return { url: text }
  const url = new URL(text)
  const tls = takeTls(url)
  const socket = url.searchParams.get('host') ?? decodeURIComponent(url.hostname)
  url.searchParams.delete('host')
  const database = decodeURIComponent(url.pathname.slice(1))
  if (socket.startsWith('/')) url.hostname = 'localhost'
  return {
    url: url.href,
    ...(socket.startsWith('/') || socket !== url.hostname ? { host: socket } : {}),
    ...(database ? { database } : {}),
    ...(tls === undefined ? {} : { ssl: tls }),
  }
}

/** The same for node-postgres, which can only have TLS or not: `prefer` and `allow` are without. */
export function nodePostgresAddress(text: string): Pick<pg.ClientConfig, 'connectionString' | 'ssl'> {
  if (!URL.canParse(text)) return { connectionString: text }
  const url = new URL(text)
  const tls = takeTls(url)
  if (tls === undefined) return { connectionString: url.href }
  return { connectionString: url.href, ssl: tls === 'prefer' ? false : tls }
}

/** What libpq's ssl parameters ask for, taken out of the URL; undefined when they say nothing. */
function takeTls({ hostname, searchParams }: URL): Tls | undefined {
  const take = (name: string): string | null => {
    const value = searchParams.get(name)
    searchParams.delete(name)
    return value
  }
  const [mode, root, cert, key] = [take('sslmode'), take('sslrootcert'), take('sslcert'), take('sslkey')]
  take('uselibpqcompat')
  if (mode === null && !root && !cert) return undefined
  if (mode !== null && !SSL_MODES.includes(mode)) {
    throw new ConfigError(
      `sslmode=${mode} in DATABASE_URL is none that PostgreSQL knows: use one of ${SSL_MODES.join(', ')}.`,
    )
  }
  if (mode === 'disable') return false
  if (mode === 'allow' || mode === 'prefer') return 'prefer'
  const options: ConnectionOptions = {}
  if (root && root !== 'system') options.ca = read(root, 'sslrootcert')
  if (cert) options.cert = read(cert, 'sslcert')
  if (key) options.key = read(key, 'sslkey')
  // As libpq: with a root certificate, require means that the server has one it signed, whatever its name.
  if (mode === 'verify-full' || root === 'system') {
    // Said ourselves, because postgres.js compares with "localhost" where the host is an IP address.
    return { ...options, checkServerIdentity: (_, certificate) => checkServerIdentity(hostname, certificate) }
  }
  if (mode === 'verify-ca' || root) return { ...options, checkServerIdentity: () => undefined }
  return { ...options, rejectUnauthorized: false }
}

function read(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ConfigError(`${what}=${file} in DATABASE_URL cannot be read: correct the path.`, { cause })
  }
}
