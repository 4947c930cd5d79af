/**
 * The command `rowbeat`, as bin/rowbeat.js loads it, and the children of `rowbeat start`.
 *
 * Whatever goes wrong ends here as one line on stderr and an exit code (words.ts); a stack is shown only when
 * ROWBEAT_LOG_LEVEL is debug or trace.
 */
import { runCommandLine } from './program.ts'

process.setSourceMapsEnabled(true)
process.exitCode = await runCommandLine(process.argv.slice(2))
// What a library left open must not keep a finished command from ending.
setTimeout(() => process.exit(), 1000).unref()
