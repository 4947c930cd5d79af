#!/usr/bin/env node
/**
 * The `rowbeat` command. Plain JavaScript that any Node from 18 on can read, because its first job is to find a Node
 * that can run the rest: 22.18 or newer, which runs TypeScript as it is. Too old a Node starts the one that came with
 * `npm ci` (the npm package `node`) on this same file and stays as its shadow: same words, same terminal, signals
 * passed on, same exit code. If the shadow is killed with -9 the other end sees its channel close and ends as well.
 *
 * In a clone the command is src/cli/main.ts; in an installed package, where Node refuses TypeScript, dist/cli/main.js.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import * as module from 'node:module'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const NEEDED = [22, 18]
const root = new URL('../', import.meta.url)

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) await runHere()
else runWithNewerNode()

async function runHere() {
  if (process.channel) followShadow()
  // Before the first TypeScript file: what is cached needs no type stripper, which is 18 MB and 0.1 s of each process.
  module.enableCompileCache?.()
  const main = ['src/cli/main.ts', 'dist/cli/main.js'].map((path) => new URL(path, root)).find(isThere)
  if (!main)
    fail('its files are incomplete: install it again (npm ci in a clone, npm install rowbeat elsewhere).')
  await import(main.href)
}

/** The shadow that started us is gone without a word: end as if we had got its signal, and soon. */
function followShadow() {
  process.channel.unref()
  process.once('disconnect', () => {
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 4000)
    process.kill(process.pid, 'SIGTERM')
  })
}

function runWithNewerNode() {
  const node = new URL('node_modules/.bin/node', root)
  // With a channel we are that Node already, and it is too old as well.
  if (!isThere(node) || process.channel) {
    fail(
      `it needs Node ${NEEDED.join('.')} or newer and this is ${process.versions.node}: run npm ci in ` +
        `${fileURLToPath(root)} (it brings Node 24 along; with npm's ignore-scripts setting off), or install a newer Node.`,
    )
  }
  const child = spawn(fileURLToPath(node), [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to everybody in front of it: the child has it already.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  child.once('error', (error) => fail(`${fileURLToPath(node)} cannot be started: ${error.message}`))
  child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

function isThere(url) {
  return existsSync(fileURLToPath(url))
}

function fail(why) {
  process.stderr.write(`rowbeat cannot start: ${why}\n`)
  process.exit(2)
}
