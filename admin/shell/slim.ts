/**
 * AdminJS without what a server has no use for. Its package loads, into the process that serves it, its bundler (Babel, Rollup), its React
 * components and their design system with two editors: 190 MB. The pages come bundled, so of all that a server needs the
 * resources, the actions and the first state of the page; the rest is left out by Node's own hooks while it loads.
 *
 * What is loaded so is an instance of its own (its addresses carry a mark), for this folder alone: an app that uses AdminJS itself keeps the whole.
 */
import { createRequire, registerHooks, type LoadFnOutput } from 'node:module'
import { pathToFileURL } from 'node:url'

const MARK = '?rowbeat-panel'
const OURS = new URL('../', import.meta.url).href
const MARKED = /\/node_modules\/(?:adminjs|@adminjs\/design-system)\//

/** The end of a file's address -> what is there instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  '/adminjs/lib/backend/bundler/components.bundler.js': 'export default {}',
  '/adminjs/lib/frontend/index.js': 'export {}',
  '/adminjs/lib/frontend/layout-template.js': 'export default () => ""',
  '/adminjs/lib/frontend/login-template.js': 'export default () => ""',
  '/@adminjs/design-system/build/index.js':
    "export * from './utils/combine-styles.js'; export const DEFAULT_DRAWER_WIDTH = '500px'",
}

/** Runs `load`, which imports something in this folder, by those hooks. */
export async function withSlimAdminJs<T>(load: () => Promise<T>): Promise<T> {
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context)
      const from = context.parentURL ?? ''
      const isAsked = from.startsWith(OURS) || from.endsWith(MARK)
      return isAsked && MARKED.test(found.url) && !found.url.endsWith(MARK)
        ? { ...found, url: found.url + MARK }
        : found
    },
    load(url, context, next): LoadFnOutput {
      if (!url.endsWith(MARK)) return next(url, context)
      const file = url.slice(0, -MARK.length)
      const end = Object.keys(INSTEAD).find((one) => file.endsWith(one))
      if (end) return { format: 'module', source: INSTEAD[end]!, shortCircuit: true }
      return next(url, context)
    },
  })
  try {
    return await load()
  } finally {
    hooks.deregister()
  }
}

/** The address of AdminJS's entry. */
export function placeOfAdminJs(): URL {
  return new URL(import.meta.resolve('adminjs').replace(MARK, ''))
}

/** The address of the design system as AdminJS itself has it, wherever a package manager put that. */
export function placeOfDesignSystem(): URL {
  return pathToFileURL(createRequire(placeOfAdminJs()).resolve('@adminjs/design-system'))
}
