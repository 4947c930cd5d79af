/**
 * `rowbeat psql`: PostgreSQL's own client on the database that the other commands use. The password goes by the
 * environment, because everybody on the machine can read a command line.
 */
import { spawn } from 'node:child_process'
import { shareEnvironment } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { findDatabase } from './database.ts'
import { readSettings, type Flags } from './options.ts'
import { EXIT, say } from './words.ts'

export async function psql(words: readonly string[], flags: Flags): Promise<number> {
  const { config, json } = await readSettings(flags)
  const url = new URL(findDatabase(config))
  if (json) {
    say({ command: ['psql', withoutPassword(url), ...words] })
    return EXIT.done
  }
  const password = decodeURIComponent(url.password)
  if (password) shareEnvironment({ PGPASSWORD: password })
  // Ctrl-C belongs to psql, which stops a query with it.
  const ignore = (): void => {}
  process.on('SIGINT', ignore)
  const child = spawn('psql', [withoutPassword(url), ...words], { stdio: 'inherit' })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('exit', resolve)
    child.once('error', (cause: NodeJS.ErrnoException) =>
      reject(cause.code === 'ENOENT' ? notInstalled(cause) : cause),
    )
  })
  process.off('SIGINT', ignore)
  if (code === 0) return EXIT.done
  return code === 2 ? EXIT.unreachable : EXIT.failed
}

function withoutPassword(url: URL): string {
  const bare = new URL(url)
  bare.password = ''
  return bare.href
}

function notInstalled(cause: Error): ConfigError {
  return new ConfigError(
    'psql is not installed: install it (Debian and Ubuntu: apt install postgresql-client; macOS: brew install libpq), or ask any other client.',
    { cause },
  )
}
