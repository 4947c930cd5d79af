/**
 * Where the panel stands and how its parts reach the router. AdminJS leaves its state in the document; of it only the prefix and
 * who is signed in are used. The router is React's, and hands itself over when the frame is drawn (frame/application.tsx), so
 * that what is no component (a dialog's answer, a key that was pressed) can go somewhere too.
 */
import type { NavigateFunction } from 'react-router-dom'
import { createBox } from './box.ts'

interface Told {
  paths?: { rootPath?: string; logoutPath?: string }
  session?: { email?: string; role?: string; name?: string } | null
  versions?: { app?: string }
}

export const told: Told = (globalThis as { REDUX_STATE?: Told }).REDUX_STATE ?? {}

/** As in `/admin`, without a slash behind. */
export const ROOT = (told.paths?.rootPath ?? '/admin').replace(/\/+$/, '')

/** The session is over. Nothing leaves the screen by itself, since somebody may have typed something; the frame says it. */
export const signedOut = createBox(false)

const router = createBox<NavigateFunction | null>(null)

export function lendRouter(navigate: NavigateFunction | null): void {
  router.set(navigate)
}

/** The address of a place in the panel: `hrefOf('/resources/runs')`. */
export function hrefOf(path: string): string {
  return `${ROOT}${path === '/' ? '' : path}` || '/'
}

/** Shows a place in the panel, as a click on its link would. */
export function go(path: string, how: { replace?: boolean } = {}): void {
  const navigate = router.get()
  if (navigate) void navigate(hrefOf(path), how)
  else globalThis.location.assign(hrefOf(path))
}
