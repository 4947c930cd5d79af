/** Above every page: where one is, finding, whether it is live, theme, language, who is signed in. */
import type { ReactNode } from 'react'
import { useLocation } from 'react-router-dom'
import { LANGUAGES } from '../../locale/texts.ts'
import { useBox } from '../kit/box.ts'
import { Button, hrefOf, Link, ROOT, t, useLiveSwitch, useMe } from '../kit/kit.ts'
import { language, setLanguage } from '../kit/text.ts'
import { pageOf } from './pages.ts'
import { setTheme, theme, THEMES, type Theme } from './theme.ts'

export function TopBar(props: {
  isOpen: boolean
  onMenu: () => void
  onSearch: () => void
  onHelp: () => void
}): ReactNode {
  const { isOpen, onMenu, onSearch, onHelp } = props
  return (
    <header className="rb-top">
      <button
        type="button"
        className="rb-button rb-button-quiet rb-menu"
        aria-expanded={isOpen}
        aria-controls="rb-nav"
        onClick={onMenu}
      >
        <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
          <path d="M2 5h16M2 10h16M2 15h16" className="rb-stroke" />
        </svg>
        <span className="rb-unseen">{t('frame.menu')}</span>
      </button>
      <Breadcrumbs />
      <button type="button" className="rb-find" onClick={onSearch}>
        <span>{t('frame.search')}</span>
        <kbd aria-hidden="true">/</kbd>
      </button>
      <div className="rb-top-end">
        <LiveSwitch />
        <Choices />
        <Button kind="quiet" className="rb-help" aria-label={t('frame.keyboard')} onClick={onHelp}>
          ?
        </Button>
        <Account />
      </div>
    </header>
  )
}

export function Breadcrumbs(): ReactNode {
  const { pathname } = useLocation()
  const path = pathname.slice(ROOT.length) || '/'
  const page = pageOf(path)
  const record = /\/records\/([^/]+)\//.exec(path)?.[1]
  if (!page) return <span className="rb-crumbs" />
  return (
    <nav className="rb-crumbs" aria-label={t('frame.breadcrumbs')}>
      <ol>
        <li>
          <Link to={page.path} aria-current={record ? undefined : 'page'}>
            {t(page.text)}
          </Link>
        </li>
        {record ? (
          <li>
            <span aria-current="page">{readName(record)}</span>
          </li>
        ) : null}
      </ol>
    </nav>
  )
}

function readName(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}

function LiveSwitch(): ReactNode {
  const { state, live, set } = useLiveSwitch()
  if (live && state === 'off') return null
  const words = !live ? t('frame.livePaused') : state === 'on' ? t('frame.live') : t('frame.liveBroken')
  return (
    <button
      type="button"
      role="switch"
      aria-checked={live}
      aria-label={`${t('frame.liveSwitch')}: ${words}`}
      className={`rb-live rb-live-${live ? state : 'off'}`}
      onClick={() => set(!live)}
    >
      <span className="rb-live-dot" aria-hidden="true" />
      <span className="rb-live-words">{words}</span>
    </button>
  )
}

function Choices(): ReactNode {
  const chosen = useBox(theme)
  const tag = useBox(language)
  return (
    <>
      <select
        className="rb-input rb-top-choice"
        aria-label={t('frame.theme')}
        value={chosen}
        onChange={(event) => setTheme(event.target.value as Theme)}
      >
        {THEMES.map((one) => (
          <option key={one} value={one}>
            {t(`frame.${one}`)}
          </option>
        ))}
      </select>
      <select
        className="rb-input rb-top-choice"
        aria-label={t('frame.language')}
        value={tag}
        onChange={(event) => setLanguage(event.target.value)}
      >
        {LANGUAGES.map((one) => (
          <option key={one.tag} value={one.tag}>
            {one.name}
          </option>
        ))}
      </select>
    </>
  )
}

function Account(): ReactNode {
  const { email, role } = useMe()
  return (
    <div className="rb-account">
      <span className="rb-account-name" title={t('frame.account', { email, role })}>
        {email}
      </span>
      <form method="post" action={hrefOf('/logout')}>
        <button type="submit" className="rb-button rb-button-quiet">
          {t('frame.signOut')}
        </button>
      </form>
    </div>
  )
}
