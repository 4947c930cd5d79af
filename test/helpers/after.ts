/** Runs once after all test files: stops the shared PostgreSQL if this run started it, and waits until it is gone. */
import { isAlive } from './process.ts'
import { findServer } from './server.ts'
import { until } from './wait.ts'

const server = findServer()
if (server && server.runner === process.ppid) {
  process.kill(server.keeper, 'SIGTERM')
  await until('the test PostgreSQL is gone', () => !isAlive(server.keeper), { timeout: 30_000 })
}
