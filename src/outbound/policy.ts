/**
 * What this installation lets a run call, beside the public internet: its operator lists hosts and networks that may be
 * reached although they are private. The list is code or environment, never data, so that nobody who may enqueue a run can
 * add to it.
 */
import { ConfigError } from '../errors.ts'
import { isInside, readNetwork, type Network } from './address.ts'

export interface OutboundOptions {
  /** `10.1.0.0/16`, `hooks.internal`, `*.internal`, `127.0.0.1:4000`: may be called although private, and without TLS. */
  allow?: readonly string[]
  /** http:// only to what is allowed by name or number; default true. */
  httpsOnly?: boolean
}

interface Listed {
  /** In lower case; `*.` before it means what is under it. */
  readonly name: string | null
  readonly network: Network | null
  readonly port: number | null
}

export interface Policy {
  readonly httpsOnly: boolean
  /** Whether the operator trusts this name, whatever it resolves to. */
  trustsHost(host: string, port: number): boolean
  trustsAddress(address: string, port: number): boolean
}

const NAME = /^(\*\.)?[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$/

/** Throws ConfigError with the first entry that is wrong. */
export function readPolicy({ allow = [], httpsOnly = true }: OutboundOptions = {}): Policy {
  const listed = allow.map(readEntry)
  const fits = (entry: Listed, port: number): boolean => entry.port === null || entry.port === port
  return Object.freeze({
    httpsOnly,
    trustsHost: (host: string, port: number) =>
      listed.some((entry) => fits(entry, port) && entry.name !== null && isNamed(host, entry.name)),
    trustsAddress: (address: string, port: number) =>
      listed.some((entry) => fits(entry, port) && entry.network !== null && isInside(address, entry.network)),
  })
}

function readEntry(text: string): Listed {
  const entry = text.trim().toLowerCase()
  const [, bracketed, bracketedPort] = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(entry) ?? []
  const whole = bracketed ? null : readNetwork(entry)
  if (whole) return { name: null, network: whole, port: null }
  const [, host = entry, port] = bracketed
    ? [null, bracketed, bracketedPort]
    : (/^([^:]+):(\d{1,5})$/.exec(entry) ?? [])
  const network = readNetwork(host)
  const isName = !network && NAME.test(host) && !/^[\d.]+$/.test(host)
  if ((network || isName) && (port === undefined || (Number(port) > 0 && Number(port) < 65_536)))
    return { name: isName ? host : null, network, port: port === undefined ? null : Number(port) }
  throw new ConfigError(
    `outbound.allow (ROWBEAT_HTTP_ALLOW) has "${text}", which is neither a host nor a network: write hooks.internal, *.internal, 10.1.0.0/16 or 127.0.0.1:4000.`,
  )
}

function isNamed(host: string, name: string): boolean {
  return name.startsWith('*.') ? host.endsWith(name.slice(1)) && host.length >= name.length : host === name
}
