/**
 * Which names of time zones are taken. Whatever Intl knows (aliases such as US/Eastern too), in any case, but no fixed offset:
 * "+02:00" never sees a summer, and who types it for Kyiv would be an hour off for half the year.
 *
 * A name is stored as it was given. Intl's own canonical names are older than people's (it says Europe/Kiev), and a schedule that
 * comes back with another zone than was typed looks wrong even where it is not.
 */

/** Names people use that Intl takes but does not list: it still lists their predecessors (Europe/Kiev, Asia/Calcutta). */
const MODERN_NAMES = [
  'UTC',
  'Africa/Asmara',
  'America/Argentina/Buenos_Aires',
  'America/Argentina/Catamarca',
  'America/Argentina/Cordoba',
  'America/Argentina/Jujuy',
  'America/Argentina/Mendoza',
  'America/Atikokan',
  'America/Indiana/Indianapolis',
  'America/Kentucky/Louisville',
  'America/Nuuk',
  'Asia/Ho_Chi_Minh',
  'Asia/Kathmandu',
  'Asia/Kolkata',
  'Asia/Yangon',
  'Atlantic/Faroe',
  'Europe/Kyiv',
  'Pacific/Chuuk',
  'Pacific/Kanton',
  'Pacific/Pohnpei',
]

/** Every name to offer, sorted. */
export function knownZones(): string[] {
  return [...new Set([...Intl.supportedValuesOf('timeZone'), ...MODERN_NAMES])].sort()
}

/** What is wrong with a zone's name, or null. */
export function checkZone(name: string): string | null {
  const example = 'must be a time zone such as Europe/Kyiv, America/New_York or UTC'
  if (/^(UTC|GMT)?[+-]\d/i.test(name))
    return `${example}: ${JSON.stringify(name)} is a fixed offset, which knows no summer time`
  return resolve(name) === null ? `${example}: ${JSON.stringify(name)} is not known` : null
}

/** An accepted name as it is stored: as given, or in the usual case where it differs from a known name in nothing else. */
export function nameZone(name: string): string {
  if (MODERN_NAMES.includes(name) || resolve(name) === name) return name
  const lower = name.toLowerCase()
  return knownZones().find((known) => known.toLowerCase() === lower) ?? name
}

/** Intl's canonical name for it, or null. */
function resolve(name: string): string | null {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return null
  }
}
