// The page: events in, one picture a frame.
//
//     source ---events---> player ---fold---> state ---> stage, table, sentence, timeline

import { controls } from './controls.mjs'
import { element, refill, set_text, shade_of, svg } from './draw.mjs'
import { read_recording, vanished } from './events.mjs'
import { player, speeds } from './player.mjs'
import { fetch_recording, listen } from './source.mjs'
import { stage } from './stage.mjs'
import { apply, asked, host_of, hosts_of, mains_left, new_state } from './state.mjs'
import { timeline } from './timeline.mjs'
import { explain, labels, speed_text } from './words.mjs'

const $ = selector => document.querySelector(selector)

let language = navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
const words = () => labels[language]

const playing = new player(new_state, apply)
const control = new controls($('#controls'), playing, words)
const scenes = new Map([['', new stage($('#stage'), (action, slot) => control.signal(action, slot))]]) // by host
const lanes = new timeline($('#timeline'), playing, event => { pointed_at = event; changed = true })
const left_out = { missing: 0, refused: 0 }

let source = 'none'
let pointed_at = null
let changed = true // besides what the player shows

// ---- sources

function show_source(name) {
  source = name
  document.body.dataset.source = name
  changed = true
}

let from_the_beginning = false // a recording comes over the stream all at once

function receive(events) {
  playing.add(events)
  if (from_the_beginning) play_slowly()
}

function play_slowly() {
  from_the_beginning = false
  playing.speed = 0.01
  playing.seek(playing.events[0]?.t_us ?? 0)
  playing.play()
}

// A main that still runs, as far as the events tell, while its server knows that the demo has ended: it was killed, or its pipe has ended.
// (A recording may well have been cut before the end of what it tells.)
function end_mains(why) {
  playing.add(mains_left(playing.latest()).map(([host, pid]) => vanished(pid, playing.end, why, host)))
}

function how_it_ended() {
  const why = failure_of(control.running)
  if (source === 'own' && why) return words().ended_by(why)
  return source === 'stdin' && !control.running?.running ? words().tells_no_more : ''
}

const failure_of = running => typeof running?.failed === 'string' ? running.failed.slice(0, 300) : ''

function open_recording({ events, refused }) {
  close_stream()
  playing.clear()
  Object.assign(left_out, { missing: 0, refused })
  control.show(null)
  show_source('replay')
  playing.add(events)
  play_slowly()
}

function complain(error) {
  show_source('none')
  set_text($('#source'), `${words().cannot_open}: ${error.message}`)
}

let close_stream = () => {}
function open_stream() {
  close_stream = listen({
    events: receive,
    state: (running, is_news) => {
      control.show(running)
      if (is_news && !running.running && running.source !== 'replay') end_mains(failure_of(running))
      from_the_beginning ||= running.source === 'replay' && source !== 'replay' && playing.events.length === 0
      show_source(['own', 'stdin', 'replay'].includes(running.source) ? running.source : 'own')
    },
    missing: count => { left_out.missing += count; changed = true },
    refused: count => { left_out.refused += count; changed = true },
    source: show_source
  })
}

$('#recording').addEventListener('change', ({ target }) => {
  const [file] = target.files
  if (file) file.text().then(text => open_recording(read_recording(text)), complain)
  target.value = ''
})

// ---- languages and themes

const dark = () => document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches

function show_labels() {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  document.title = words().title
  for (const one of document.querySelectorAll('[data-label]')) one.textContent = words()[one.dataset.label]
  for (const one of document.querySelectorAll('[data-does][data-name]')) one.setAttribute('aria-label', one.title = words()[one.dataset.name])
  $('#language').lang = language === 'zh' ? 'en' : 'zh'
  $('#theme').textContent = dark() ? words().theme_light : words().theme
  changed = true
}

$('#language').addEventListener('click', () => { language = language === 'zh' ? 'en' : 'zh'; show_labels() })
$('#theme').addEventListener('click', () => { document.documentElement.dataset.theme = dark() ? 'light' : 'dark'; show_labels() })
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show_labels)

// ---- time

const does = {
  first: () => { playing.pause(); playing.step(-playing.shown) },
  back: () => playing.step(-1),
  forward: () => playing.step(1),
  play: () => playing.mode === 'paused' ? playing.play() : playing.pause(),
  live: () => playing.live(),
  again: () => { lanes.fit(); playing.again() },
  in: () => lanes.zoom(0.5),
  out: () => lanes.zoom(2),
  fit: () => lanes.fit()
}
for (const button of document.querySelectorAll('[data-does]')) button.addEventListener('click', () => does[button.dataset.does]())

const keys = { ArrowLeft: 'back', ArrowRight: 'forward', ' ': 'play', Home: 'first', End: 'live', '+': 'in', '=': 'in', '-': 'out', 0: 'fit' }
$('.lanes').addEventListener('keydown', event => {
  if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return
  event.preventDefault()
  does[keys[event.key]]()
})

$('#speed').append(...speeds.map(speed => element('option', { value: speed }, speed_text(speed))))
$('#speed').addEventListener('change', ({ target }) => { playing.speed = Number(target.value); ++playing.version })

// ---- the stages: one, or one for each host

function make_scene(host) {
  const root = $('#stage').cloneNode(true)
  for (const name of ['id', 'aria-labelledby']) root.removeAttribute(name)
  root.classList.add('host')
  root.querySelector('h2').replaceWith(element('h2'))
  root.querySelector('.clients h3').dataset.label = 'from_proxy'
  scenes.set(host, new stage(root, () => {}))
}

function draw_stages() {
  const hosts = hosts_of(playing.state)
  const names = hosts.map(([name]) => name)
  if (names.some(name => !scenes.has(name))) {
    for (const name of names) if (!scenes.has(name)) make_scene(name)
    $('.stages').append(...names.map(name => scenes.get(name).root)) // in their order
    show_labels()
  }
  for (const [name, scene] of scenes) {
    scene.root.hidden = !names.includes(name)
    if (name === '') continue
    set_text(scene.root.querySelector('h2'), words().host(name))
    scene.root.setAttribute('aria-label', words().host(name))
  }
  $('#hosts').hidden = names[0] === ''
  set_text($('.step'), playing.state.line)
  const { mode, now, speed } = playing
  const { running } = control
  // Forked for one connection, a worker ends with it: the server signals none of these.
  const can_signal = running?.source === 'own' && running.running && running.mode !== 'fork' && mode === 'live'
  for (const [name, state] of hosts) scenes.get(name).draw({ state, mode, now, speed }, words(), { frozen: control.frozen, can_signal })
}

// ---- what is beside them

function draw_side() {
  const { state } = playing
  const { sentence, call, chapter, file } = state.last ? explain(host_of(state, state.last), state.last, language) : { sentence: words().nothing_yet, call: '', chapter: '', file: '' }
  set_text($('.sentence'), sentence)
  set_text($('.call code'), call)
  set_text($('.chapter'), chapter && `${words().chapter} ${chapter} · ${file}`)
  if (playing.mode === 'paused') set_text($('#spoken'), sentence)

  const sum = asked(state)
  set_text($('#asked'), words().asked(sum.asked, sum.answered, sum.lost))
  $('#asked').classList.toggle('loses', sum.lost > 0)

  const workers = hosts_of(state).flatMap(([host, its]) => its.workers.map(one => ({ ...one, place: host === '' ? one.slot : `${host}/${one.slot}` })))
  const all = workers.reduce((total, one) => total + one.connections, 0)
  const rows = workers.map(one => [one.slot, one.place, one.pid, one.connections, one.answers, all === 0 ? '' : `${Math.round(one.connections / all * 100)} %`, one.in_vain, one.restarts])
  refill($('tbody'), JSON.stringify(rows), () => rows.map(([slot, place, ...rest]) => {
    const dot = svg('svg', { class: 'dot', viewBox: '0 0 10 10', 'aria-hidden': true }, svg('rect', { width: 10, height: 10, rx: 2, fill: shade_of(slot) }))
    const row = element('tr', {}, element('td', {}, dot, String(place)), ...rest.map(value => element('td', {}, String(value))))
    row.dataset.slot = slot
    return row
  }))

  const dropped = [state, ...state.hosts.values()].reduce((sum, one) => sum + one.dropped, 0)
  const counts = { dropped, missing: left_out.missing, forgotten: playing.forgotten, refused: left_out.refused }
  const missing = Object.entries(counts).filter(([, count]) => count > 0).map(([what, count]) => words().left_out[what](count))
  refill($('#left_out'), missing.join(), () => missing.map(text => element('li', {}, text)))

  if (source !== 'none') set_text($('#source'), words()[`source_${source}`] + how_it_ended())
  const play = $('[data-does=play]')
  set_text(play, playing.mode === 'paused' ? words().play : words().pause)
  $('[data-does=live]').setAttribute('aria-pressed', playing.mode === 'live')
  $('#speed').value = String(playing.speed)

  const about = pointed_at && explain(host_of(state, pointed_at), pointed_at, language)
  refill($('.hover'), about ? about.sentence + about.call : '', () => about ? [about.sentence, element('code', {}, about.call)] : [])
}

// ---- one picture a frame

let drawn = -1
let lanes_drawn_at = 0
let lanes_owed = false
let last_frame = performance.now()

function frame(now) {
  playing.tick(Math.min(now - last_frame, 250)) // a page in the background has seen nothing
  last_frame = now
  if (playing.version !== drawn || changed || (playing.mode === 'live' && [...scenes.values()].some(scene => scene.moving && !scene.root.hidden))) {
    drawn = playing.version
    changed = false
    draw_stages()
    draw_side()
    lanes_owed = true
  }
  // Many marks are dear: under a flood ten pictures a second of them are enough.
  if (lanes_owed && (playing.events.length < 500 || now - lanes_drawn_at > 100)) {
    lanes.draw(words())
    lanes_drawn_at = now
    lanes_owed = false
  }
  requestAnimationFrame(frame)
}

new ResizeObserver(() => { changed = true }).observe(document.body)
show_labels()
const replay = new URLSearchParams(location.search).get('replay')
if (replay) fetch_recording(replay).then(open_recording, complain)
else if (location.protocol !== 'file:') open_stream()
show_source('none')
requestAnimationFrame(frame)
