/** Runs once before all test files: the shared PostgreSQL and its migrated template (server.ts). */
import { ensureServer, ensureTemplate } from './server.ts'

await ensureTemplate(await ensureServer(process.ppid))
