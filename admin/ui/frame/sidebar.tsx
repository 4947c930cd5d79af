/** The pages, by groups. On a narrow screen it lies over the page, opened by the button in the bar and closed by going somewhere. */
import type { ReactNode } from 'react'
import { useLocation } from 'react-router-dom'
import { Link, ROOT, t, useMe } from '../kit/kit.ts'
import { GROUPS, pageOf, PAGES } from './pages.ts'

export function Sidebar({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }): ReactNode {
  const { may } = useMe()
  const { pathname } = useLocation()
  const current = pageOf(pathname.slice(ROOT.length) || '/')
  return (
    <>
      {isOpen ? <div className="rb-shade" onClick={onClose} aria-hidden="true" /> : null}
      <nav
        id="rb-nav"
        className={`rb-side ${isOpen ? 'rb-side-open' : ''}`}
        aria-label={t('frame.navigation')}
      >
        <Link to="/" className="rb-brand" onClick={onClose}>
          <Mark />
          {t('frame.product')}
        </Link>
        {GROUPS.map((group) => {
          const pages = PAGES.filter((page) => page.group === group && may(page.scope))
          if (pages.length === 0) return null
          return (
            <div key={group} className="rb-side-group">
              <p className="rb-side-title" id={`rb-group-${group}`}>
                {t(`frame.${group}`)}
              </p>
              <ul aria-labelledby={`rb-group-${group}`}>
                {pages.map((page) => (
                  <li key={page.path}>
                    <Link
                      to={page.path}
                      className="rb-side-link"
                      aria-current={page === current ? 'page' : undefined}
                      onClick={onClose}
                    >
                      {t(page.text)}
                    </Link>
                  </li>
                ))}
              </ul>
            </div>
          )
        })}
      </nav>
    </>
  )
}

/** Rows and a beat. */
function Mark(): ReactNode {
  return (
    <svg width="24" height="24" viewBox="0 0 24 24" aria-hidden="true" className="rb-mark">
      <path d="M3 5h18M3 19h18" />
      <path d="M3 12h5l2-4 4 8 2-4h5" className="rb-mark-beat" />
    </svg>
  )
}
