/**
 * An address to call, as far as its text tells: that it is http, has no password in it, goes to a port where HTTP is
 * spoken, and, where the host is a number, that the number may be called. What a name resolves to is judged when the
 * connection is made (call.ts), and only then: whatever was looked up before may have changed since.
 *
 * The parser is the WHATWG's, the one that makes the connection too, so 2130706433, 0x7f.1 and 127.0.0.1 are one.
 */
import { isIP } from 'node:net'
import { OutboundError } from '../errors.ts'
import { explainAddress } from './address.ts'
import type { Policy } from './policy.ts'

/** Where something else than HTTP listens, above 1023: what answers there may take a request for a command. */
const OTHERS = [
  1433, 1521, 1719, 1720, 1723, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432,
  5672, 5900, 5984, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 9042, 9092, 9200, 9300, 10080,
  10250, 11211, 27017,
]
const LENGTH_MAX = 2000
const OWN = ['127.0.0.1', '::1']

export interface Target {
  readonly url: URL
  /** Without brackets and without the dot at its end, in lower case. */
  readonly host: string
  readonly port: number
}

/** Throws OutboundError RB_OUTBOUND_REFUSED. */
export function readTarget(text: string, policy: Policy): Target {
  const url = text.length <= LENGTH_MAX && URL.canParse(text) ? new URL(text) : null
  if (!url || !/^https?:\/\//i.test(text.trimStart()))
    throw refuse(`must be an address such as https://example.com/hook, of at most ${LENGTH_MAX} characters`)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('must begin with https://')
  if (url.username !== '' || url.password !== '')
    throw refuse('must have no user and no password in it: send them in a header')
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '')
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  if (host === '') throw refuse('must name a host')
  const target = { url, host, port }
  if (policy.trustsHost(host, port)) return target
  if (isIP(host) !== 0) {
    judgeAddress(target, host, policy)
  } else if (/(^|\.)localhost$/.test(host) && !OWN.some((own) => policy.trustsAddress(own, port))) {
    throw refuse(`goes to "${host}", which is this machine itself: list it in ROWBEAT_HTTP_ALLOW to allow it`)
  }
  if (isIP(host) === 0 || !policy.trustsAddress(host, port)) judgePort(port)
  return target
}

/** Whether this address, which the target resolved to, may be connected to. Throws OutboundError RB_OUTBOUND_REFUSED. */
export function judgeAddress({ url, host, port }: Target, address: string, policy: Policy): void {
  if (policy.trustsHost(host, port) || policy.trustsAddress(address, port)) return
  const why = explainAddress(address)
  if (why)
    throw refuse(
      `goes to ${address === host ? '' : `"${host}", which is `}${address}, ${why}: list it in ROWBEAT_HTTP_ALLOW to allow it`,
    )
  if (url.protocol === 'http:' && policy.httpsOnly)
    throw refuse('must begin with https://, unless ROWBEAT_HTTP_HTTPS_ONLY is false')
}

function judgePort(port: number): void {
  if (port === 80 || port === 443 || (port > 1023 && !OTHERS.includes(port))) return
  throw refuse(
    `goes to port ${port}, where no HTTP is spoken: list the host in ROWBEAT_HTTP_ALLOW to allow it`,
  )
}

function refuse(why: string): OutboundError {
  return new OutboundError('RB_OUTBOUND_REFUSED', `The address ${why}.`)
}
