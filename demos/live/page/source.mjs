// Where the events come from: the stream of the page's server, a recording at ?replay=, or a file that the reader opens.

import { is_event, read_recording } from './events.mjs'

function parsed(data) {
  try { return JSON.parse(data) } catch { return null }
}

/// Calls `to` back: events(list), state(object, is_news), missing(count), refused(count), source(name). Lists, not single events: what
/// comes within one frame is handed on at once. The first state of a stream is how things stand, and no news: what led there comes after it.
/// Each other one comes behind the events that were told before it.
export function listen(to) {
  const stream = new EventSource('/events')
  let batch = []
  const flush = () => {
    const events = batch
    batch = []
    if (events.length > 0) to.events(events)
  }
  stream.addEventListener('message', ({ data }) => {
    const event = parsed(data)
    if (!is_event(event)) return to.refused(1)
    if (batch.push(event) === 1) requestAnimationFrame(flush)
  })
  let is_news = false
  stream.addEventListener('open', () => { is_news = false })
  stream.addEventListener('state', ({ data }) => {
    const state = parsed(data)
    if (state === null || typeof state !== 'object') return
    flush()
    to.state(state, is_news)
    is_news = true
  })
  stream.addEventListener('missing', ({ data }) => {
    const count = parsed(data)?.count
    if (Number.isSafeInteger(count) && count > 0) to.missing(count)
  })
  stream.addEventListener('error', () => to.source('lost')) // it tries again by itself
  return () => stream.close()
}

/// A recording of this site. Throws when there is none.
export async function fetch_recording(address) {
  const answer = await fetch(new URL(address, location.href))
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`)
  return read_recording(await answer.text())
}
