/**
 * The command `rowbeat`, as bin/rowbeat.js loads it. Kept tiny: compiled code is cached from here on, so that every
 * start but the first finds its modules ready, and the rest is imported after that.
 *
 * Whatever goes wrong ends here as one line on stderr and an exit code (words.ts); a stack is shown only when
 * ROWBEAT_LOG_LEVEL is debug or trace.
 */
import { enableCompileCache } from 'node:module'

enableCompileCache()
process.setSourceMapsEnabled(true)

const { runCommandLine } = await import('./program.ts')
process.exitCode = await runCommandLine(process.argv.slice(2))
