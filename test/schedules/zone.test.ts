/** Zones: their changes against temporal-polyfill's, offsets against Intl's own parts, and which names are taken and kept. */
import t from 'tap'
import { checkZone, createZones, knownZones, nameZone } from '../../src/schedules/zone.ts'
import { listChanges } from './oracle.ts'

t.test('the changes of every zone are those temporal-polyfill finds', (t) => {
  const zones = createZones()
  const [from, to] = [Date.UTC(2025, 0, 1), Date.UTC(2028, 0, 1)]
  let count = 0
  const wrong: unknown[] = []
  for (const zone of knownZones()) {
    const [ours, theirs] = [zones.changes(zone, from, to), listChanges(zone, from, to)]
    count += theirs.length
    if (JSON.stringify(ours) !== JSON.stringify(theirs)) wrong.push({ zone, ours, theirs })
  }
  t.strictSame(wrong, [])
  t.ok(count > 800, `${count}`)
  t.end()
})

t.test('so they are in a century of zones that had a hard time', (t) => {
  const zones = createZones()
  const [from, to] = [Date.UTC(1940, 0, 1), Date.UTC(2040, 0, 1)]
  for (const zone of [
    'Europe/Kyiv',
    'Pacific/Apia',
    'Africa/Casablanca',
    'America/Caracas',
    'Asia/Pyongyang',
    'Africa/Monrovia',
    'America/Recife',
  ]) {
    const theirs = listChanges(zone, from, to)
    t.ok(theirs.length > 0, zone)
    t.strictSame(zones.changes(zone, from, to), theirs, zone)
  }
  t.end()
})

t.test('an offset is what the wall shows', (t) => {
  const zones = createZones()
  const cases: [zone: string, at: string, offset: number][] = [
    ['UTC', '2026-07-01T00:00Z', 0],
    ['Europe/Kyiv', '2026-03-29T00:59:59.999Z', 7200],
    ['Europe/Kyiv', '2026-03-29T01:00Z', 10_800],
    ['America/St_Johns', '2026-01-01T00:00Z', -12_600],
    ['Asia/Kathmandu', '2026-01-01T00:00Z', 20_700],
    ['Pacific/Kiritimati', '2026-01-01T00:00Z', 50_400],
    ['Africa/Monrovia', '1970-01-01T00:00Z', -2670],
  ]
  for (const [zone, at, seconds] of cases)
    t.equal(zones.offsetAt(zone, Date.parse(at)), seconds * 1000, `${zone} ${at}`)
  t.end()
})

t.test('pieces follow each other without a gap, also where years are cut', (t) => {
  const zone = createZones().open('Europe/Kyiv')
  let piece = zone.pieceAt(Date.UTC(2020, 0, 1))
  for (let count = 0; count < 60; count++) {
    const next = zone.pieceAt(piece.to)
    t.equal(next.from, piece.to)
    t.strictSame(zone.pieceAt(piece.to - 1), piece)
    t.equal(
      next.reached > next.from + next.offset,
      next.offset < piece.offset,
      'reached is above only after going back',
    )
    piece = next
  }
  t.end()
})

t.test('zones are listed with their modern names, sorted', (t) => {
  const known = knownZones()
  for (const name of ['UTC', 'Europe/Kyiv', 'Europe/Kiev', 'Asia/Kolkata', 'America/New_York'])
    t.ok(known.includes(name), name)
  t.strictSame(known, [...new Set(known)].sort())
  for (const name of known) t.equal(checkZone(name), null, name)
  t.end()
})

t.test('a zone is taken in any case and by its aliases, and kept as it was given', (t) => {
  const kept = (name: string) => [checkZone(name), nameZone(name)]
  t.strictSame(kept('Europe/Kyiv'), [null, 'Europe/Kyiv'])
  t.strictSame(kept('Europe/Kiev'), [null, 'Europe/Kiev'])
  t.strictSame(kept('europe/KYIV'), [null, 'Europe/Kyiv'])
  t.strictSame(kept('america/new_york'), [null, 'America/New_York'])
  t.strictSame(kept('utc'), [null, 'UTC'])
  t.strictSame(kept('US/Eastern'), [null, 'US/Eastern'])
  t.strictSame(kept('EST5EDT'), [null, 'EST5EDT'])
  t.strictSame(kept('Etc/GMT-2'), [null, 'Etc/GMT-2'])
  t.end()
})

t.test('fixed offsets and unknown names are refused with a reason', (t) => {
  for (const name of ['+02:00', '-0530', '+2', 'UTC+2', 'GMT-3', 'gmt+02:00'])
    t.match(
      checkZone(name),
      /^must be a time zone such as .*: ".*" is a fixed offset, which knows no summer time$/,
      name,
    )
  for (const name of ['', ' ', 'localtime', 'Mars/Olympus', 'Europe', 'Europe/Kyiv ', 'Europe/../Kyiv'])
    t.match(
      checkZone(name),
      /^must be a time zone such as Europe\/Kyiv, America\/New_York or UTC: ".*" is not known$/,
      name,
    )
  t.end()
})
