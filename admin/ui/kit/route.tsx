/**
 * What the viewer chose stands in the address: a link to a page shows another what one sees oneself. `useQuery` is its
 * part behind the question mark.
 */
import type { AnchorHTMLAttributes, ReactNode } from 'react'
import { Link as RouterLink, useSearchParams } from 'react-router-dom'
import { hrefOf } from './place.ts'

export type QueryRecord = Readonly<Record<string, string>>
/** Null and '' take a word out of the address. */
export type SetQuery = (
  changes: Record<string, string | null | undefined>,
  how?: { replace?: boolean },
) => void

export function useQuery(): [QueryRecord, SetQuery] {
  const [params, setParams] = useSearchParams()
  const set: SetQuery = (changes, how = {}) => {
    setParams((before) => {
      const next = new URLSearchParams(before)
      for (const [name, value] of Object.entries(changes))
        if (value) next.set(name, value)
        else next.delete(name)
      return next
    }, how)
  }
  return [Object.fromEntries(params), set]
}

/** A link to a place in the panel; `to` is without the prefix. */
export function Link({
  to,
  children,
  ...rest
}: { to: string; children: ReactNode } & Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'>): ReactNode {
  return (
    <RouterLink to={hrefOf(to)} {...rest}>
      {children}
    </RouterLink>
  )
}
