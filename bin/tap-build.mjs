/**
 * Runs before `npm test`, after bin/install.mjs: builds tap with the plugins that .taprc leaves it. As npm installs it, tap
 * puts loaders for TypeScript and mocks into every test's process; Node 24 runs TypeScript by itself, nothing is mocked,
 * and the loaders cost each file more than most of its tests do. Once after an install, some seconds.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const built = new URL('../node_modules/@tapjs/test/test-built/dist/esm/index.js', import.meta.url)
const tap = fileURLToPath(new URL('../node_modules/tap/dist/esm/run.mjs', import.meta.url))

if (/from "@tapjs\/(typescript|mock)"/.test(readFileSync(built, 'utf8'))) {
  const { status } = spawnSync(process.execPath, [tap, 'build'], { stdio: ['ignore', 2, 2] })
  process.exit(status ?? 1)
}
