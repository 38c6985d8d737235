// When what is shown: now as it happens, or again, slower, from what was recorded. Nothing is shown that no process has told, and
// nothing at a time at which it has not happened.
//
//     live ---pause, step---> paused <---step---+
//      ^                       |  ^             |
//      |                      play  pause, end  |
//      +-------live-----------+v  |             |
//                             playing ----------+
//
// A worker reports once a turn of its loop, so its events come later than younger ones of its main. They are put where their time says,
// and what has been folded from there on is folded again.

export const speeds = [100, 10, 1, 0.1, 0.01, 0.001]

const most_events = 50000
const between = 1000 // events, from one kept state to the next
const burst_gap = 300000 // us in which nobody tells anything end a burst
const longest_wait = 1500 // ms of the spectator's time; more of it is skipped
const lead = 300 // ms before what comes next

export class player {
  constructor(new_state, apply) {
    Object.assign(this, { new_state, apply, speed: 1 })
    this.clear()
  }

  clear() {
    this.events = [] // in the order of their times
    this.kept = [{ at: 0, state: this.new_state() }] // states, each after `at` events
    this.state = this.new_state()
    this.shown = 0 // events that `state` is made of
    this.now = 0 // us
    this.mode = 'live'
    this.skipped = 0 // us, before what is shown now
    this.forgotten = 0 // events
    this.version = 0 // changes with whatever is shown
  }

  get end() {
    return this.events.at(-1)?.t_us ?? 0
  }

  /// What is known after all of the events, whatever is shown.
  latest() {
    if (this.shown === this.events.length) return this.state
    const { at, state } = this.kept.at(-1)
    return this.events.slice(at).reduce(this.apply, structuredClone(state))
  }

  add(events) {
    if (events.length === 0) return
    let first = this.events.length
    let before = 0
    for (const event of events) {
      let at = this.events.length
      while (at > 0 && this.events[at - 1].t_us > event.t_us) --at
      if (at === this.events.length) this.events.push(event)
      else this.events.splice(at, 0, event)
      first = Math.min(first, at)
      if (this.mode !== 'live' && event.t_us <= this.now && at < this.shown + before) ++before
    }
    this.kept = this.kept.filter(one => one.at <= first)
    const wanted = this.mode === 'live' ? this.events.length : this.shown + before
    if (first < this.shown) this.fold_from_kept(wanted)
    else this.fold(wanted)
    if (this.mode === 'live') this.now = this.end
    this.forget()
    ++this.version
  }

  fold(wanted) {
    while (this.shown < wanted) {
      this.state = this.apply(this.state, this.events[this.shown++])
      if (this.shown - this.kept.at(-1).at >= between) this.kept.push({ at: this.shown, state: structuredClone(this.state) })
    }
  }

  fold_from_kept(wanted) {
    const { at, state } = this.kept.findLast(one => one.at <= wanted)
    this.state = structuredClone(state)
    this.shown = at
    this.fold(wanted)
  }

  // The oldest, up to a kept state.
  forget() {
    const surplus = this.events.length - most_events
    if (surplus <= 0) return
    const from = this.kept.findIndex(one => one.at >= surplus)
    if (from < 0 || this.kept[from].at > this.shown) return
    const { at } = this.kept[from]
    this.events.splice(0, at)
    this.kept = this.kept.slice(from).map(one => ({ ...one, at: one.at - at }))
    this.shown -= at
    this.forgotten += at
  }

  show(wanted) {
    const count = Math.max(0, Math.min(wanted, this.events.length))
    if (count < this.shown) this.fold_from_kept(count)
    else this.fold(count)
    ++this.version
  }

  live() {
    this.mode = 'live'
    this.skipped = 0
    this.show(this.events.length)
    this.now = this.end
  }

  pause() {
    this.mode = 'paused'
    ++this.version
  }

  play() {
    if (this.shown === this.events.length) this.seek(this.events[0]?.t_us ?? 0)
    this.mode = 'playing'
    ++this.version
  }

  step(by) {
    this.mode = 'paused'
    this.skipped = 0
    this.show(this.shown + by)
    this.now = this.events[Math.max(0, this.shown - 1)]?.t_us ?? 0
  }

  /// Just before what happened at `t_us`.
  seek(t_us) {
    this.mode = this.mode === 'live' ? 'paused' : this.mode
    this.skipped = 0
    const at = this.events.findIndex(one => one.t_us >= t_us)
    this.show(at < 0 ? this.events.length : at)
    this.now = t_us
  }

  /// So many milliseconds of the spectator's time have gone by.
  tick(elapsed) {
    if (this.mode === 'live' && this.end > 0) this.now += elapsed * 1000 // what waits goes on waiting
    if (this.mode !== 'playing') return
    const next = this.events[this.shown]
    if (!next) {
      this.pause()
      return
    }
    const us = 1000 * this.speed // in a millisecond
    this.now += elapsed * us
    if (next.t_us - this.now > longest_wait * us) {
      const to = next.t_us - lead * us
      this.skipped = to - this.now
      this.now = to
    }
    let wanted = this.shown
    while (wanted < this.events.length && this.events[wanted].t_us <= this.now) ++wanted
    if (wanted > this.shown) this.show(wanted)
    ++this.version
  }

  /// { from, to } in us: what happened together around the last event shown.
  burst(gap = burst_gap) {
    if (this.events.length === 0) return { from: 0, to: 0 }
    let first = Math.min(Math.max(this.shown - 1, 0), this.events.length - 1)
    let last = first
    while (first > 0 && this.events[first].t_us - this.events[first - 1].t_us < gap) --first
    while (last + 1 < this.events.length && this.events[last + 1].t_us - this.events[last].t_us < gap) ++last
    return { from: this.events[first].t_us, to: this.events[last].t_us }
  }

  /// The last burst again, so slowly that it takes some ten seconds.
  again() {
    const { from, to } = this.burst()
    this.speed = speeds.find(speed => (to - from) / 1000 / speed >= 4000) ?? speeds.at(-1)
    this.seek(from)
    this.play()
  }
}
