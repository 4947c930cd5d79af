/** Finding by typing: a page by some of its letters, a run by its id, or a search. Arrow keys choose, Enter goes. */
import { useId, useState, type KeyboardEvent, type ReactNode } from 'react'
import { Dialog, go, t, useMe } from '../kit/kit.ts'
import { findOffers, type Offer } from './finding.ts'
import { PAGES } from './pages.ts'

export function Palette({ onClose }: { onClose: () => void }): ReactNode {
  const { may } = useMe()
  const [typed, setTyped] = useState('')
  const [at, setAt] = useState(0)
  const id = useId()
  const pages = PAGES.filter(({ scope }) => may(scope)).map(({ path, text }) => ({ path, words: t(text) }))
  const offers = findOffers(typed, pages, { runs: may('runs:read'), schedules: may('schedules:read') })
  const chosen = Math.min(at, offers.length - 1)
  const take = (offer: Offer | undefined): void => {
    if (!offer) return
    onClose()
    go(offer.path)
  }
  const press = (event: KeyboardEvent): void => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (event.key === 'Enter') take(offers[chosen])
    else if (move && offers.length > 0) setAt((chosen + move + offers.length) % offers.length)
    else return
    event.preventDefault()
  }
  return (
    <Dialog title={t('frame.palette')} onClose={onClose}>
      <input
        className="rb-input"
        role="combobox"
        aria-label={t('frame.searchLabel')}
        aria-expanded="true"
        aria-controls={id}
        aria-activedescendant={offers.length > 0 ? `${id}-${chosen}` : undefined}
        autoComplete="off"
        spellCheck={false}
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value)
          setAt(0)
        }}
        onKeyDown={press}
      />
      <ul className="rb-offers" id={id} role="listbox" aria-label={t('frame.palette')}>
        {offers.map((offer, index) => (
          <li
            key={`${offer.kind} ${offer.path}`}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === chosen}
            className="rb-offer"
            onMouseMove={() => setAt(index)}
            onClick={() => take(offer)}
          >
            {wordsOf(offer)}
          </li>
        ))}
      </ul>
      {offers.length === 0 ? <p className="rb-hint">{t('frame.noCommand')}</p> : null}
    </Dialog>
  )
}

function wordsOf({ kind, words }: Offer): string {
  if (kind === 'page') return t('frame.goTo', { page: words })
  if (kind === 'run') return t('frame.openRun', { id: words })
  return t(kind === 'runs' ? 'frame.searchRuns' : 'frame.searchSchedules', { text: words })
}
