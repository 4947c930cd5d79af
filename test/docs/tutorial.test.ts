/** The five lessons, done as a reader does them: every command, against one process tree, and every answer as it is printed. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { openClassroom } from './lesson.ts'

const LESSONS = ['books', 'orders', 'widgets', 'todo', 'schedules']
t.setTimeout(240_000)

const folder = mkdtempSync(join(tmpdir(), 'rowbeat-lessons-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }))
const { url: databaseUrl, sql } = await setup(t)
const classroom = await openClassroom(t, { databaseUrl, sql, folder })

const skip = spawnSync('curl', ['--version']).status === 0 ? false : 'curl is not installed'

for (const lesson of LESSONS)
  await t.test(`lesson ${lesson}: each command answers what the page says`, { skip }, async (t) => {
    t.ok((await classroom.follow(`docs/tutorial/${lesson}.md`)) > 5)
  })
