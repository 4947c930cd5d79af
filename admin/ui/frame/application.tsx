/**
 * The frame of the panel, in place of AdminJS's own (its name, `Application`, is one that AdminJS lets be replaced): landmarks, a way
 * past the navigation, the pages by address, and the keys. AdminJS's frame has none of these, and axe finds faults all over it.
 */
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { Route, Routes, useLocation, useNavigate } from 'react-router-dom'
import { useBox } from '../kit/box.ts'
import { ConfirmHost } from '../kit/dialog.tsx'
import { go, hrefOf, ROOT, t, useMe } from '../kit/kit.ts'
import { NoticeHost } from '../kit/notice.tsx'
import { lendRouter, signedOut } from '../kit/place.ts'
import { language } from '../kit/text.ts'
import { createChords } from './chords.ts'
import { Help } from './help.tsx'
import { PAGES } from './pages.ts'
import { Palette } from './palette.tsx'
import { Sidebar } from './sidebar.tsx'
import { TopBar } from './top-bar.tsx'
import { DashboardView, Missing, PageView, ResourceView } from './views.tsx'

type Open = 'none' | 'palette' | 'help'

export function Application(): ReactNode {
  const tag = useBox(language)
  const navigate = useNavigate()
  // Before the pages are drawn, since they may go elsewhere at once.
  lendRouter(navigate)
  return tag === '' ? null : <Shell key={tag} />
}

function Shell(): ReactNode {
  const [open, setOpen] = useState<Open>('none')
  const [isMenuOpen, setMenuOpen] = useState(false)
  const main = useRef<HTMLElement>(null)
  const isFirst = useRef(true)
  const { pathname } = useLocation()
  useKeys(setOpen)
  useEffect(() => {
    setMenuOpen(false)
    main.current?.scrollTo(0, 0)
    // Who came here by a link in a page stands nowhere now; who has just come begins at the way past the navigation.
    if (!isFirst.current && document.activeElement === document.body) main.current?.focus()
    isFirst.current = false
  }, [pathname])
  return (
    <div className="rb-app">
      <a className="rb-skip" href="#rb-main">
        {t('frame.skip')}
      </a>
      <Sidebar isOpen={isMenuOpen} onClose={() => setMenuOpen(false)} />
      <div className="rb-body">
        <TopBar
          isOpen={isMenuOpen}
          onMenu={() => setMenuOpen(!isMenuOpen)}
          onSearch={() => setOpen('palette')}
          onHelp={() => setOpen('help')}
        />
        <SignedOut />
        <main id="rb-main" className="rb-main" tabIndex={-1} ref={main}>
          <Routes>
            <Route path={ROOT || '/'} element={<DashboardView />} />
            <Route path={`${ROOT}/pages/:pageName`} element={<PageView />} />
            <Route path={`${ROOT}/resources/:resourceId`} element={<ResourceView action="list" />} />
            <Route path={`${ROOT}/resources/:resourceId/actions/:actionName`} element={<ResourceView />} />
            <Route
              path={`${ROOT}/resources/:resourceId/records/:recordId/:actionName`}
              element={<ResourceView />}
            />
            <Route path="*" element={<Missing />} />
          </Routes>
        </main>
      </div>
      {open === 'palette' ? <Palette onClose={() => setOpen('none')} /> : null}
      {open === 'help' ? <Help onClose={() => setOpen('none')} /> : null}
      <ConfirmHost />
      <NoticeHost />
    </div>
  )
}

function SignedOut(): ReactNode {
  const isOver = useBox(signedOut)
  const { pathname, search } = useLocation()
  if (!isOver) return null
  return (
    <div className="rb-over" role="alert">
      <span>{t('frame.signedOut')}</span>
      <a href={`${hrefOf('/login')}?next=${encodeURIComponent(`${pathname}${search}`)}`}>
        {t('frame.signIn')}
      </a>
    </div>
  )
}

function useKeys(setOpen: (open: Open) => void): void {
  const { may } = useMe()
  useEffect(() => {
    const paths = PAGES.filter(({ key, scope }) => key && may(scope))
    const chords = createChords({
      '/': 'palette',
      'ctrl+k': 'palette',
      '?': 'help',
      ...Object.fromEntries(paths.map(({ key, path }) => [`g ${key}`, `go:${path}`])),
    })
    const press = (event: KeyboardEvent): void => {
      if (document.querySelector('dialog[open]')) return
      const command = chords.press({
        key: event.key,
        held: event.ctrlKey || event.metaKey,
        other: event.altKey,
        typing: isTyping(event.target),
        atMs: event.timeStamp,
      })
      if (!command) return
      event.preventDefault()
      if (command.startsWith('go:')) go(command.slice(3))
      else setOpen(command as Open)
    }
    document.addEventListener('keydown', press)
    return () => document.removeEventListener('keydown', press)
  }, [])
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]')
}
