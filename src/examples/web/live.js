/*
 * What the pages do more where scripts run; all of them work without. An element with `data-events` follows a
 * run by server-sent events: the bar moves, and when the run has finished the page's content is fetched anew,
 * so that there is one place, the server, that knows what a finished page looks like.
 */
const numbers = new Intl.NumberFormat('en')
const instants = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

const live = document.querySelector('[data-events]')
if (live) follow(live)
localise(document)

for (const form of document.querySelectorAll('form[data-busy]')) {
  form.addEventListener('submit', () => {
    const button = form.querySelector('button')
    button.textContent = form.dataset.busy
    button.setAttribute('aria-disabled', 'true')
  })
}
// A page taken out of the browser's memory must not show a button that is still busy.
addEventListener('pageshow', (event) => event.persisted && location.reload())

function follow(element) {
  const source = new EventSource(element.dataset.events)
  const part = (name) => element.querySelector(`[data-part="${name}"]`)
  source.addEventListener('run', ({ data }) => {
    const run = JSON.parse(data)
    show(part('label'), run.label)
    show(part('note'), '')
    if (run.progress) {
      const { current, total, percent } = run.progress
      if (percent !== null) part('bar').value = percent
      show(part('percent'), percent === null ? '' : `${Math.floor(percent)} %`)
      show(part('count'), `${numbers.format(current)} of ${numbers.format(total)} rows`)
    }
    if (run.finished) {
      source.close()
      renew()
    }
  })
  source.addEventListener('error', () => {
    const gone = source.readyState === EventSource.CLOSED
    show(part('note'), gone ? 'This page lost touch: reload it.' : 'The connection was lost; trying again …')
  })
}

/** Only what differs is written: a screen reader speaks each change of a live region. */
function show(element, text) {
  if (element.textContent !== text) element.textContent = text
}

async function renew() {
  const response = await fetch(location.href, { headers: { accept: 'text/html' } })
  const page = new DOMParser().parseFromString(await response.text(), 'text/html')
  localise(page)
  document.title = page.title
  document.querySelector('main').replaceWith(document.adoptNode(page.querySelector('main')))
}

/** Instants in the reader's own zone; the server wrote them in UTC. */
function localise(root) {
  for (const time of root.querySelectorAll('time'))
    time.textContent = instants.format(new Date(time.dateTime))
}
