/**
 * Which addresses may be called from here, by number: the public ones, and nothing else. What is not plainly public is
 * refused: private and shared networks, this machine, link-local (where clouds keep their metadata), multicast, and every
 * form of IPv6 that carries an IPv4 address inside, because such a form reaches what the inner one would.
 */
import ipaddr from 'ipaddr.js'

const WORDS: Readonly<Record<string, string>> = {
  private: 'a private address',
  uniqueLocal: 'a private address',
  loopback: 'this machine itself',
  unspecified: 'no address of anybody',
  linkLocal: 'a link-local address, where clouds keep their metadata',
  carrierGradeNat: 'an address of a shared network (RFC 6598)',
  multicast: 'a multicast address',
  broadcast: 'a broadcast address',
  ipv4Mapped: 'an IPv4 address inside an IPv6 one',
  rfc6052: 'an IPv4 address inside an IPv6 one (NAT64)',
  rfc6145: 'an IPv4 address inside an IPv6 one',
  '6to4': 'an IPv4 address inside an IPv6 one (6to4)',
  teredo: 'an IPv4 address inside an IPv6 one (Teredo)',
}

/** Public by number, and yet answered by the host that a machine runs on: Azure's. */
const METADATA = ['168.63.129.16']

/** The addresses that the internet routes by IPv6. */
const GLOBAL = ipaddr.IPv6.parseCIDR('2000::/3')

/** What an address is that may not be called, as in "a private address"; null when it is a public one. */
export function explainAddress(address: string): string | null {
  if (!ipaddr.isValid(address)) return 'no address'
  const parsed = ipaddr.parse(address)
  const range = parsed.range()
  if (range !== 'unicast') return WORDS[range] ?? `a reserved address (${range})`
  if (METADATA.includes(parsed.toString())) return 'the address of a cloud that answers for its machines'
  if (parsed.kind() === 'ipv6' && !parsed.match(GLOBAL as [ipaddr.IPv6, number]))
    return 'no address that the internet routes'
  return null
}

export interface Network {
  readonly first: ipaddr.IPv4 | ipaddr.IPv6
  readonly bits: number
}

/** `10.0.0.0/8`, `fd00::/8`, or one address; null when the text is neither. */
export function readNetwork(text: string): Network | null {
  try {
    if (text.includes('/')) {
      const [first, bits] = ipaddr.parseCIDR(text)
      return isWritten(text.split('/')[0]!) ? { first, bits } : null
    }
    if (!isWritten(text)) return null
    const first = ipaddr.parse(text)
    return { first, bits: first.kind() === 'ipv4' ? 32 : 128 }
  } catch {
    return null
  }
}

/** Not `10.1`, which some read as 10.0.0.1: whoever lists a network writes all of it. */
function isWritten(text: string): boolean {
  return text.includes(':') || ipaddr.IPv4.isValidFourPartDecimal(text)
}

export function isInside(address: string, { first, bits }: Network): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  return parsed.kind() === first.kind() && parsed.match(first as ipaddr.IPv6, bits)
}
