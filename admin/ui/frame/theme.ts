/** Light, dark, or as the system says: an attribute of the document that the style sheet knows. Set before anything is drawn. */
import { createBox } from '../kit/box.ts'

export type Theme = 'system' | 'light' | 'dark'
export const THEMES: readonly Theme[] = ['system', 'light', 'dark']

const STORED = 'rowbeat.theme'

export const theme = createBox<Theme>(readTheme())

export function setTheme(next: Theme): void {
  theme.set(next)
  showTheme()
  try {
    localStorage.setItem(STORED, next)
  } catch {
    // No storage: it lasts as long as the page.
  }
}

export function showTheme(): void {
  const chosen = theme.get()
  if (chosen === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = chosen
}

function readTheme(): Theme {
  try {
    const stored = localStorage.getItem(STORED)
    return THEMES.find((one) => one === stored) ?? 'system'
  } catch {
    return 'system'
  }
}
