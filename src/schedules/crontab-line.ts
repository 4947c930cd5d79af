/**
 * A crontab as one line, the way cron and crontab.guru write it: five fields, or one of cron's nicknames. Only the cutting is done
 * here; what the fields say is read by readCrontab like any others.
 */
import { FIELD_NAMES, type FieldName } from './crontab-field.ts'

const NICKNAMES: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

/** The five fields of a line, by name; or why it is none. */
export function parseCronLine(text: string): { fields: Record<FieldName, string> } | { fault: string } {
  const line = text.trim()
  if (line.toLowerCase() === '@reboot')
    return { fault: 'cannot be @reboot: a schedule belongs to the database, not to the start of a machine' }
  const parts = (line.startsWith('@') ? (NICKNAMES[line.toLowerCase()] ?? '') : line).split(/\s+/)
  if (parts.length === FIELD_NAMES.length)
    return {
      fields: Object.fromEntries(FIELD_NAMES.map((name, index) => [name, parts[index]!])) as Record<
        FieldName,
        string
      >,
    }
  if (line.startsWith('@'))
    return {
      fault: `must be one of ${Object.keys(NICKNAMES).join(', ')}, or five fields: ${JSON.stringify(line)} is not`,
    }
  const count = line === '' ? 'none' : parts.length
  const hint = parts.length > 5 ? ' (no seconds, no year, no TZ=, no blanks within a field)' : ''
  return {
    fault: `must be five fields, minute hour day-of-month month day-of-week: there are ${count}${hint}`,
  }
}
