/** Whose it is. What code declares and somebody edited is left alone by the code until it is given back: that is said wherever one could be misled. */
import type { ReactNode } from 'react'
import { t, Time, type ScheduleDocument } from '../kit/kit.ts'

export function Ownership({ schedule }: { schedule: ScheduleDocument }): ReactNode {
  if (schedule.origin !== 'code') return null
  return (
    <p className="rb-owner">
      {schedule.edited_at ? (
        <>
          {t('schedules.editedCode')} <Time at={schedule.edited_at} />
        </>
      ) : (
        t('schedules.ownedByCode')
      )}
    </p>
  )
}
