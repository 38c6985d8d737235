// The timeline: a lane for the clients, one for what waits in the kernel, one for each process. What is drawn is what there is; where
// marks would lie on each other they become one, with their number.

import { element, shade_of, svg } from './draw.mjs'
import { hosts_of } from './state.mjs'
import { duration, speed_text } from './words.mjs'

const lane_height = 24
const least_span = 40 // us
const near = 5000 // us between events that are drawn together while somebody steps
const bin = 7 // px: nearer marks become one
const room_for_count = 20 // px
const most_queue_bars = 400

export class timeline {
  constructor(root, player, show_event) {
    Object.assign(this, { root, player, show_event, fixed: false, from: 0, to: 1 })
    this.picture = root.querySelector('svg')
    this.picture.addEventListener('wheel', event => {
      if (!event.ctrlKey && !event.shiftKey) return // a wheel alone scrolls the page
      event.preventDefault()
      this.zoom(event.deltaY < 0 ? 0.7 : 1 / 0.7, this.time_at(event))
    }, { passive: false })
    this.picture.addEventListener('pointermove', event => this.point_at(event))
    this.picture.addEventListener('pointerleave', () => this.show_event(null))
    this.picture.addEventListener('click', event => {
      const mark = event.target.closest('[data-index]')
      if (mark) this.player.step(Number(mark.dataset.index) + 1 - this.player.shown)
      else this.player.seek(this.time_at(event))
    })
  }

  time_at(event) {
    const box = this.picture.getBoundingClientRect()
    const share = (event.clientX - box.left - this.left) / (box.width - this.left - this.right)
    return this.from + Math.max(0, Math.min(1, share)) * (this.to - this.from)
  }

  point_at(event) {
    const mark = event.target.closest?.('[data-index]')
    this.show_event(mark ? this.player.events[Number(mark.dataset.index)] : null)
  }

  zoom(factor, around = this.player.now) {
    const span = Math.max(least_span, (this.to - this.from) * factor)
    const middle = Math.max(this.from, Math.min(this.to, around))
    const share = (middle - this.from) / (this.to - this.from)
    this.fixed = true
    this.from = middle - share * span
    this.to = this.from + span
    ++this.player.version
  }

  fit() {
    this.fixed = false
    ++this.player.version
  }

  // Which times to draw.
  choose() {
    const { player } = this
    if (!this.fixed) {
      const { from, to } = player.burst(player.mode === 'paused' ? near : undefined)
      const margin = Math.max(least_span, to - from) * 0.04
      this.from = from - margin
      this.to = Math.max(to, from + least_span) + margin
      if (player.mode === 'live') this.from = Math.max(this.from, this.to - 10e6)
      const span = 8e6 * player.speed // eight seconds of the spectator's
      if (player.mode === 'playing' && span < this.to - this.from) {
        this.from = Math.max(this.from, Math.min(player.now - span * 0.6, this.to - span))
        this.to = this.from + span
      }
    } else if (player.now < this.from || player.now > this.to) {
      const span = this.to - this.from
      this.from = player.now - span / 2
      this.to = this.from + span
    }
  }

  draw(words) {
    this.choose()
    const { player, picture } = this
    const { state } = player
    const width = Math.max(200, picture.clientWidth)
    const narrow = width < 500
    this.left = narrow ? 58 : 112
    this.right = 14
    const lanes = [{ key: 'client', label: words.lane_clients }]
    for (const [host, its] of hosts_of(state)) lanes.push(...this.lanes_of(host, its, words, narrow))
    const row = new Map(lanes.map(({ key }, i) => [key, i * lane_height + 24]))
    const height = lanes.length * lane_height + 34
    const x = t_us => this.left + (t_us - this.from) / (this.to - this.from) * (width - this.left - this.right)
    const inside = t_us => t_us >= this.from && t_us <= this.to

    const parts = []
    for (const { key, label, slot } of lanes) {
      const y = row.get(key)
      parts.push(svg('line', { class: 'lane', x1: this.left, x2: width - this.right, y1: y, y2: y }))
      if (slot !== undefined) parts.push(svg('rect', { x: 0, y: y - 6, width: 4, height: 12, fill: shade_of(slot) }))
      parts.push(svg('text', { class: 'lane-name', x: slot === undefined ? 0 : 9, y: y + 4 }, label))
    }

    // What waited in the kernel, and for how long: from a client's connect to somebody's accept.
    let bars = 0
    for (const one of row.has('kernel') ? state.connections.values() : []) { // of several hosts nobody tells when the proxy connects
      if (one.connected === null || (one.accepted !== null && one.accepted <= one.connected)) continue
      const to = one.accepted ?? one.closed ?? player.now
      if (to < this.from || one.connected > this.to || ++bars > most_queue_bars) continue
      const left = x(Math.max(one.connected, this.from))
      parts.push(svg('rect', { class: 'waited', x: left, y: row.get('kernel') - 4, width: Math.max(2, x(Math.min(to, this.to)) - left), height: 8, rx: 4 }))
    }

    // Descriptors on their way.
    const crossings = hosts_of(state).flatMap(([host, its]) => its.crossings.map(one => ({ ...one, host })))
    for (const one of crossings) {
      const to = row.get(`${one.host} slot ${one.slot}`)
      const from = row.get(`${one.host} ${one.from_pid}`)
      if (to === undefined || from === undefined || one.sent > this.to || (one.received ?? player.now) < this.from) continue
      parts.push(svg('line', { class: one.received === null ? 'crossing underway' : 'crossing', x1: x(one.sent), y1: from, x2: x(one.received ?? Math.max(player.now, one.sent)), y2: to, stroke: shade_of(one.slot) }))
    }

    const joined = this.marks(parts, { row, x, inside })
    const now = x(player.now)
    if (now >= this.left && now <= width - this.right + 1) parts.push(svg('line', { class: 'now', x1: now, x2: now, y1: 8, y2: height - 20 }))
    for (const { at, label } of this.ticks(width)) {
      parts.push(svg('line', { class: 'tick', x1: x(at), x2: x(at), y1: height - 18, y2: height - 14 }))
      parts.push(svg('text', { class: 'tick-name', x: x(at), y: height - 3 }, label))
    }
    picture.setAttribute('height', height)
    picture.setAttribute('viewBox', `0 0 ${width} ${height}`)
    picture.replaceChildren(...parts)

    const speed = player.mode === 'playing' ? words.at_speed(speed_text(player.speed)) : ''
    const said = [player.events.length > 0 ? words.span(duration(this.to - this.from), speed) : '']
    if (joined > 0) said.push(words.marks(joined))
    if (player.skipped > 0) said.push(words.skipped(duration(player.skipped)))
    this.root.querySelector('.span').textContent = said.filter(Boolean).join(' · ')
  }

  // At the beginning nobody is there yet: then the lanes of who will come.
  lanes_of(host, state, words, narrow) {
    const { events } = this.player
    const is_here = one => (one.host ?? '') === host
    const at = host === '' ? '' : `${host} · `
    const lanes = host === '' ? [{ key: 'kernel', label: words.lane_kernel }] : []
    const main = state.main?.pid ?? events.find(one => one.role === 'main' && is_here(one))?.pid
    const workers = state.workers.length > 0 ? state.workers.map(one => one.slot) : events.slice(0, 200).filter(one => one.ev === 'worker_up' && is_here(one)).map(one => one.worker)
    if (main !== undefined) lanes.push({ key: `${host} ${main}`, label: `${at}${words.main}${narrow ? '' : ` ${main}`}` })
    for (const slot of [...new Set(workers)].slice(0, 16)) lanes.push({ key: `${host} slot ${slot}`, slot, label: `${at}${narrow ? words.worker[0] : words.worker} ${slot}` })
    return lanes
  }

  // Returns how many events have no mark of their own.
  marks(parts, { row, x, inside }) {
    const { events, shown } = this.player
    const lane_of = event => event.role === 'client' ? 'client' : `${event.host ?? ''} ${event.role === 'main' ? event.pid : `slot ${event.slot}`}`
    const bins = new Map()
    let first = 0
    for (let step = events.length; step > 0; step = Math.floor(step / 2)) // the first in view
      while (first + step <= events.length && events[first + step - 1]?.t_us < this.from) first += step
    for (let i = first; i < events.length && events[i].t_us <= this.to; ++i) {
      const y = row.get(lane_of(events[i]))
      if (y === undefined || !inside(events[i].t_us)) continue
      const key = `${y} ${Math.floor(x(events[i].t_us) / bin)}`
      const one = bins.get(key)
      if (!one) bins.set(key, { i, y, x: x(events[i].t_us), count: 1, last: i })
      else { ++one.count; one.last = i; if (i < shown && !(is_grave(events[one.i]) && !is_grave(events[i]))) one.i = i }
    }
    let joined = 0
    const labelled = new Map() // where the last number stands, by lane
    for (const one of bins.values()) {
      const event = events[one.i]
      const mark = mark_of(event, one.x, one.y)
      mark.dataset.index = one.i
      mark.classList.add('mark')
      if (one.i >= shown) mark.classList.add('future')
      if (one.i === shown - 1 || (one.last === shown - 1)) mark.classList.add('current')
      if (one.count > 1) {
        joined += one.count - 1
        if (one.x - (labelled.get(one.y) ?? -100) < room_for_count) { parts.push(mark); continue }
        labelled.set(one.y, one.x)
        parts.push(svg('text', { class: 'count', x: one.x, y: one.y - 8 }, one.count > 99 ? '99+' : String(one.count)))
      }
      parts.push(mark)
    }
    return joined
  }

  ticks(width) {
    const wanted = Math.max(2, Math.floor((width - this.left) / 130))
    const rough = (this.to - this.from) / wanted
    const power = 10 ** Math.floor(Math.log10(rough))
    const step = Math.max(1, [1, 2, 5, 10].map(one => one * power).find(one => one >= rough))
    const burst = this.player.burst().from
    // Far from the beginning a time has too many digits: then from the first tick on.
    const far = Math.abs(this.from - burst) > 20 * (this.to - this.from)
    const zero = far ? Math.ceil(this.from / step) * step : burst
    const ticks = []
    for (let at = zero + Math.ceil((this.from - zero) / step) * step; at <= this.to; at += step) ticks.push({ at, label: at === zero ? (far ? `… ${duration(zero - burst)}` : '0') : `${at < zero ? '−' : far ? '+' : ''}${duration(Math.abs(at - zero), step)}` })
    return ticks
  }
}

// What must not lie hidden beneath another mark.
const is_grave = event => event.ev === 'failed' || event.ev === 'vanished' || (event.ev === 'worker_exit' && event.code !== 0)

// A shape for what it is, and a colour for whose it is.
function mark_of(event, x, y) {
  if (is_grave(event)) return svg('path', { d: `M${x - 5} ${y - 5} l10 10 m0 -10 l-10 10`, stroke: 'var(--bad)', 'stroke-width': 3, fill: 'none' })
  const fill = event.role === 'worker' ? shade_of(event.slot) : event.role === 'main' ? 'var(--main)' : 'var(--ink)'
  switch (event.ev) {
    case 'wakeup': return svg('circle', { class: 'vain', cx: x, cy: y, r: 4, stroke: fill, fill: 'none' })
    case 'accept': return svg('rect', { x: x - 4.5, y: y - 4.5, width: 9, height: 9, fill })
    case 'send_fd': return svg('path', { d: `M${x - 4} ${y - 5} l9 5 l-9 5z`, fill })
    case 'recv_fd': return svg('path', { d: `M${x + 4} ${y - 5} l-9 5 l9 5z`, fill })
    case 'conn_closed': case 'close_copy': return svg('path', { d: `M${x - 4} ${y - 4} l8 8 m0 -8 l-8 8`, stroke: fill, 'stroke-width': 2, fill: 'none' })
    case 'request': case 'response': case 'shutdown': case 'answer': return svg('path', { d: `M${x} ${y - 5.5} l5.5 5.5 l-5.5 5.5 l-5.5 -5.5z`, fill })
    default: return svg('circle', { cx: x, cy: y, r: 4.5, fill })
  }
}
