/**
 * libfaketime: a process that is lied to about the time, and to which another lie is told while it runs. Debian has it as
 * `faketime`; where it is absent, `findFaketime` answers null and the tests that need it say that they were left out.
 */
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface FakeClock {
  /** For the process that is lied to. */
  readonly env: Record<string, string>
  /** From now on its clock is so many seconds ahead (negative: behind). */
  set(seconds: number): void
}

interface Owner {
  teardown(handler: () => unknown): unknown
}

const NAME = 'faketime/libfaketimeMT.so.1'

/** The library that is preloaded, or null. */
export function findFaketime(): string | null {
  const roots = ['/usr/lib', '/usr/lib64', '/usr/local/lib'].filter((root) => existsSync(root))
  const folders = roots.flatMap((root) => [root, ...readdirSync(root).map((name) => join(root, name))])
  return folders.map((folder) => join(folder, NAME)).find((path) => existsSync(path)) ?? null
}

/** A clock that can be put ahead and back; with `monotonic` the one that never jumps in nature jumps too. */
export function fakeClock(
  t: Owner,
  library: string,
  { monotonic = false, seconds = 0 }: { monotonic?: boolean; seconds?: number } = {},
): FakeClock {
  const folder = mkdtempSync(join(tmpdir(), 'rowbeat-clock-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'offset')
  const set = (offset: number): void => {
    writeFileSync(`${file}.new`, `${offset < 0 ? '' : '+'}${offset}\n`)
    renameSync(`${file}.new`, file)
  }
  set(seconds)
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      ...(monotonic ? {} : { FAKETIME_DONT_FAKE_MONOTONIC: '1' }),
    },
    set,
  }
}
