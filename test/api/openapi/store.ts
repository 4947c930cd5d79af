/**
 * Stores the description of this release, which later ones are held against: `node test/api/openapi/store.ts`, once, when it
 * is released. A stored one is never written again.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fastify } from 'fastify'
import { rowbeatPlugin } from '../../../src/api/plugin.ts'
import { createRowbeat } from '../../../src/index.ts'
import { VERSION } from '../../../src/version.ts'
import { ROOT } from '../../helpers/process.ts'

const rowbeat = createRowbeat({ databaseUrl: 'postgres://127.0.0.1:1/nowhere' })
const app = fastify()
await app.register(rowbeatPlugin, { rowbeat })
const { body } = await app.inject({ url: '/openapi.json' })
mkdirSync(join(ROOT, 'test/fixtures/openapi'), { recursive: true })
const flag = process.argv.includes('--again') ? 'w' : 'wx'
writeFileSync(
  join(ROOT, `test/fixtures/openapi/${VERSION}.json`),
  `${JSON.stringify(JSON.parse(body), null, 1)}\n`,
  { flag },
)
await app.close()
await rowbeat.close()
