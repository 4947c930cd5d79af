/**
 * Logging: pino, JSON lines on stdout (stderr for the command line's own words). The logic of Rowbeat emits events;
 * what is said about them is said in one listener, so a user can hand over a pino instance of their own.
 */
import { pino } from 'pino'

/** The part of pino that Rowbeat calls; a pino or Fastify logger of the user's own fits. */
export interface Logger {
  debug(data: object, message: string): void
  info(data: object, message: string): void
  warn(data: object, message: string): void
  error(data: object, message: string): void
}

/** Keys whose values never reach a log line. */
const REDACT = [
  'password',
  'token',
  'secret',
  'authorization',
  '*.password',
  '*.token',
  '*.secret',
  '*.authorization',
]

export interface LoggerOptions {
  level?: string
  role: string
  /** Default stdout. */
  fd?: number
  /** Instead of `fd`: gets each line. */
  to?: { write(line: string): void }
}

export function createLogger(options: LoggerOptions): pino.Logger {
  return pino(
    {
      level: options.level ?? 'info',
      base: { role: options.role },
      redact: { paths: REDACT, censor: '[hidden]' },
    },
    options.to ?? pino.destination({ fd: options.fd ?? 1, sync: true }),
  )
}
