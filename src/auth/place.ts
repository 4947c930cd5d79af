/**
 * Where a request comes from, as far as it is held against somebody: an IPv4 address, or the /64 network of an IPv6 address, since who
 * has one address of it has them all.
 */
import ipaddr from 'ipaddr.js'

export function placeOf(address: string): string {
  if (!ipaddr.isValid(address)) return 'unknown'
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toNormalizedString().split('%', 1)[0]!}/64`).toString()}/64`
}
