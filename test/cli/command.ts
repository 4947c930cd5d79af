/** The command `rowbeat` in tests: run to its end, or started and kept, as the process people run. here.ts runs it in this one, for a hundredth of the price. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT, startProcess, type Process, type ProcessOptions } from '../helpers/process.ts'

interface Owner {
  teardown(handler: () => unknown): unknown
}

export interface Said {
  code: number | null
  stdout: string
  stderr: string
}

export const DEMO = 'src/examples/demo/tasks.ts'

/** Starts `rowbeat <words>`. */
export function startRowbeat(t: Owner, words: readonly string[], options: ProcessOptions = {}): Process {
  return startProcess(t, join(ROOT, 'bin/rowbeat.js'), { ...options, args: words })
}

/** Runs `rowbeat <words>` to its end. */
export async function rowbeat(
  t: Owner,
  words: readonly string[],
  options: ProcessOptions = {},
): Promise<Said> {
  const started = startRowbeat(t, words, options)
  const { code } = await started.ended(60_000)
  return { code, stdout: started.stdout(), stderr: started.stderr() }
}

/** An empty folder that is removed with `t`. */
export function folder(t: Owner): string {
  const path = mkdtempSync(join(tmpdir(), 'rowbeat-cli-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }))
  return path
}
