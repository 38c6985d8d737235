// node --test tests/page/page_test.mjs
//
// What the page makes of events, without a browser: the parts of demos/live/page that do not draw, and how they are joined.
import assert from 'node:assert'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { demo_command, end_command, load_command, signal_command } from '../../demos/live/page/controls.mjs'
import { fields_of, is_event, read_recording, vanished } from '../../demos/live/page/events.mjs'
import { player, speeds } from '../../demos/live/page/player.mjs'
import { apply, asked, host_of, hosts_of, mains_left, new_state, waiting } from '../../demos/live/page/state.mjs'
import { duration, explain, labels, story as story_of } from '../../demos/live/page/words.mjs'

const top = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..')
const parts = path.join(top, 'demos/live/page')
const { schema, fault_of } = createRequire(import.meta.url)('../events/recorded.js')
const recording = name => fs.readFileSync(path.join(top, `notes/recordings/${name}.jsonl`), 'utf8')
const examples = ['socket_fanout', 'server_handoff', 'http_cluster']

// ---- events by hand: a main 10, workers 20 and 21, a client 30, a microsecond apart.

function story(...told) {
  const seq = new Map()
  return told.map(([who, ev, fields], i) => {
    const [role, pid, slot] = { main: ['main', 10, null], w0: ['worker', 20, 0], w1: ['worker', 21, 1], w2: ['worker', 22, 0], client: ['client', 30, null] }[who]
    seq.set(pid, (seq.get(pid) ?? -1) + 1)
    const event = { v: 1, seq: seq.get(pid), t_us: 1000 + i, pid, role, slot, ev, ...fields }
    assert.strictEqual(fault_of(event), '', JSON.stringify(event))
    assert.ok(is_event(event))
    return event
  })
}

const fold = events => events.reduce(apply, new_state())
const conn = '127.0.0.1:5'
const up = [['main', 'start', { program: 'socket_fanout' }], ['main', 'listening', { address: '127.0.0.1', port: 8888, fd: 6 }], ['main', 'worker_up', { worker: 0, worker_pid: 20 }], ['main', 'worker_up', { worker: 1, worker_pid: 21 }], ['client', 'start', { program: 'net_client' }]]
const connect = ['client', 'connect', { conn, fd: 5 }]
const accept = ['main', 'accept', { conn, fd: 12, wakeups: 0 }]
const send = ['main', 'send_fd', { kind: 'connection', conn, fd: 12, to: 0, to_pid: 20, bytes: 63 }]
const receive = ['w0', 'recv_fd', { kind: 'connection', conn, fd: 19, bytes: 63 }]
const close_copy = ['main', 'close_copy', { conn, fd: 12 }]
const shutdown = ['w0', 'shutdown', { conn, fd: 19 }]
const closed = ['w0', 'conn_closed', { conn, fd: 19, reason: 'ended' }]
const answer = ['client', 'answer', { by: '20', text: 'http socket0 子进程：20' }]

test('the page knows the events of the schema, all of their fields and no others', () => {
  assert.deepStrictEqual(Object.keys(fields_of).sort(), schema.oneOf.map(one => one.properties.ev.const).sort())
  for (const { properties: { ev, ...fields } } of schema.oneOf) assert.deepStrictEqual(Object.keys(fields_of[ev.const]).sort(), Object.keys(fields).sort(), ev.const)
})

test('what is no event gets no further', () => {
  const good = { v: 1, seq: 0, t_us: 5, pid: 7, role: 'worker', slot: 0, ev: 'accept', conn, fd: 5, wakeups: 0 }
  assert.ok(is_event(good))
  for (const bad of [null, 5, 'accept', [], {}, { ...good, fd: '5' }, { ...good, fd: -1 }, { ...good, t_us: 1e300 }, { ...good, role: 'spy' }, { ...good, v: 2 }, { ...good, conn: {} }, { ...good, conn: 'x'.repeat(2000) }, { ...good, slot: 'a' }, { ...good, ev: 'constructor' }, { ...good, ev: '__proto__' }, { ...good, ev: ['accept'] }])
    assert.strictEqual(is_event(bad), false, JSON.stringify(bad))
  const { events, refused } = read_recording(`${JSON.stringify(good)}\n<script>alert(1)</script>\n{"ev":\n\nnull\n${JSON.stringify(good)}`)
  assert.deepStrictEqual([events.length, refused], [2, 3])
})

test('a connection goes from the queue to the main, and with another number to a worker', () => {
  const told = [...up, connect, accept, send, receive, close_copy, shutdown, answer, closed]
  const places = told.slice(up.length).map((_, i) => fold(story(...told.slice(0, up.length + i + 1))).connections.get(conn).place)
  assert.deepStrictEqual(places, ['queue', 'main', 'crossing', 'worker', 'worker', 'worker', 'worker', 'closed'])
  const arrived = fold(story(...told.slice(0, up.length + 4)))
  assert.deepStrictEqual([arrived.crossings[0].from_fd, arrived.crossings[0].to_fd], [12, 19])
  assert.deepStrictEqual([...arrived.main.fds.keys()], [6, 12])
  assert.deepStrictEqual([...arrived.workers[0].fds.keys()], [19])
  const end = fold(story(...told))
  assert.deepStrictEqual([...end.main.fds.keys()], [6])
  assert.strictEqual(end.workers[0].fds.size, 0)
  assert.deepStrictEqual([end.workers[0].connections, end.workers[0].answers, end.workers[1].connections], [1, 1, 0])
  assert.deepStrictEqual(asked(end), { asked: 1, answered: 1, lost: 0 })
  assert.strictEqual(end.connections.get(conn).answered_by, 0)
})

test('a worker that is through before the main has closed its copy ends the connection no sooner than the main', () => {
  const told = [...up, connect, accept, send, receive, shutdown, closed]
  const before = fold(story(...told))
  assert.deepStrictEqual([before.connections.get(conn).place, before.workers[0].fds.size, before.main.fds.has(12)], ['worker', 0, true])
  const after = fold(story(...told, close_copy))
  assert.deepStrictEqual([after.connections.get(conn).place, after.connections.get(conn).reason, after.main.fds.has(12)], ['closed', 'ended', false])
})

test('what has been accepted before its client knows does not wait', () => {
  const state = fold(story(...up, accept, connect))
  assert.deepStrictEqual(waiting(state), [])
  assert.strictEqual(state.connections.get(conn).place, 'main')
  assert.strictEqual(state.numbered, 1)
})

test('a port that is used again is another connection', () => {
  const state = fold(story(...up, connect, accept, send, receive, close_copy, closed, connect))
  assert.strictEqual(state.numbered, 2)
  assert.strictEqual(waiting(state).length, 1)
})

test('a killed worker loses what it alone has, and its successor goes on with its sums', () => {
  const exit = ['main', 'worker_exit', { worker: 0, worker_pid: 20, code: null, signal: 'SIGKILL' }]
  const again = [['main', 'respawn', { worker: 0, after_ms: 100 }], ['main', 'worker_up', { worker: 0, worker_pid: 22 }]]
  const alone = fold(story(...up, connect, accept, send, receive, close_copy, exit))
  assert.deepStrictEqual([alone.connections.get(conn).place, alone.connections.get(conn).reason], ['closed', 'died'])
  assert.deepStrictEqual([alone.workers[0].gone, alone.workers[0].fds.size], ['SIGKILL', 0])
  const kept = fold(story(...up, connect, accept, send, exit, ...again)) // the main still has its copy
  assert.notStrictEqual(kept.connections.get(conn).place, 'closed')
  const after = fold(story(...up, connect, accept, send, receive, close_copy, exit, ...again))
  assert.deepStrictEqual(after.workers.map(one => [one.slot, one.pid, one.connections, one.restarts, one.gone]), [[0, 22, 1, 1, ''], [1, 21, 0, 0, '']])
})

test('who has accepted and who has answered is counted, whoever died, and told when the client ends', () => {
  const other = '127.0.0.1:6'
  const both = [...up, connect, accept, send, receive, shutdown, close_copy, closed, ['client', 'connect', { conn: other, fd: 6 }], ['w1', 'accept', { conn: other, fd: 9, wakeups: 0 }], ['w1', 'response', { conn: other, status: 200, us: 5 }]]
  const state = fold(story(...both))
  assert.deepStrictEqual([state.main, ...state.workers].map(one => [one.accepted, one.handed]), [[1, 1], [0, 0], [1, 0]])
  const events = story(...both, ['client', 'stop', { code: 0 }])
  assert.strictEqual(explain(fold(events), events.at(-1), 'en').sentence, 'A client ends, with exit code 0. Accepted by: main 10, worker 1. Answered by: worker 0, worker 1.')
  assert.strictEqual(explain(fold(events), events.at(-1), 'zh').sentence, '客户端结束，退出码 0。接受者：主进程 10、子进程 1。应答者：子进程 0、子进程 1。')
  const exit = ['main', 'worker_exit', { worker: 1, worker_pid: 21, code: null, signal: 'SIGKILL' }]
  const after = fold(story(...both, exit, ['main', 'worker_up', { worker: 1, worker_pid: 23 }]))
  assert.deepStrictEqual([after.workers[1].pid, after.workers[1].accepted], [23, 1])
})

test('an example has its story and its chapter, and what has none is given none, whatever it is called', () => {
  const told = (program, how) => {
    const events = story(['main', 'start', { program }], ['main', 'strategy', { how, workers: 2 }], ...up.slice(1), connect, receive, shutdown)
    return [story_of(fold(events), labels.en), explain(fold(events), events.at(-1), 'en').file]
  }
  const { story: stories } = labels.en
  assert.deepStrictEqual(told('socket_fanout', 'rotate'), [stories.socket_fanout, 'notes/03-socket-fanout.md'])
  assert.deepStrictEqual(told('socket_fanout', 'fork'), [stories.fork, 'notes/03-socket-fanout.md'])
  assert.deepStrictEqual(told('server_handoff', 'race'), [stories.server_handoff, 'notes/05-server-handoff.md'])
  assert.deepStrictEqual(told('http_cluster', 'race'), [stories.http_cluster, 'notes/06-http-cluster.md'])
  assert.deepStrictEqual(told('constructor', 'toString'), ['', 'notes/03-socket-fanout.md'])
})

test('what the main need not keep any longer has arrived, be it that its worker tells nothing', () => {
  const state = fold(story(...up, connect, accept, send, close_copy))
  assert.deepStrictEqual(state.workers.map(one => [one.silent, one.connections]), [[true, 1], [false, 0]])
  assert.deepStrictEqual([state.crossings[0].received !== null, state.crossings[0].to_fd], [true, null])
  assert.deepStrictEqual([state.connections.get(conn).place, state.connections.get(conn).reason], ['closed', 'untold'])
  assert.deepStrictEqual(fold(story(...up, connect, accept, send, receive, close_copy)).workers[0].silent, false)
  assert.strictEqual(fold(story(...up, answer)).workers[0].silent, true)
})

test('wake-ups in vain are counted for the worker that was woken', () => {
  const state = fold(story(...up, ['w1', 'wakeup', { empty: true }], ['w1', 'wakeup', { empty: true }], ['w0', 'accept', { conn, fd: 7, wakeups: 0 }]))
  assert.deepStrictEqual(state.workers.map(one => [one.connections, one.in_vain]), [[1, 0], [0, 2]])
})

test('hosts whose events come together are told apart, and the clients are on none of them', () => {
  const on = (host, events) => events.map(event => event.role === 'client' ? event : { ...event, host })
  const one_host = story(...up, connect, accept, send, receive)
  const events = [...on('a', one_host), ...on('b', story(...up, connect, accept)), ...story(answer)]
  for (const event of events) assert.ok(fault_of(event) === '' && is_event(event), JSON.stringify(event))
  const state = fold(events)
  assert.deepStrictEqual(hosts_of(state).map(([name, its]) => [name, its.main.accepted, its.main.handed, its.workers.map(worker => worker.connections)]), [['a', 1, 1, [1, 0]], ['b', 1, 0, [0, 0]]])
  assert.deepStrictEqual([state.main, state.workers, asked(state).answered], [null, [], 1])
  const last = events.find(one => one.host === 'a' && one.ev === 'recv_fd')
  assert.match(explain(host_of(state, last), last, 'en').sentence, /^Host a: The connection of client 0 has arrived: 12 → 19 in worker 0/)
  assert.match(explain(host_of(state, last), last, 'zh').sentence, /^主机 a：/)
  // The same main without a name is one host, as ever.
  assert.deepStrictEqual(hosts_of(fold(one_host)).map(([name]) => name), [''])
  // A hostile stream invents no end of them.
  const flood = fold(Array.from({ length: 1000 }, (_, i) => on(`host ${i}`, story(up[0]))[0]))
  assert.strictEqual(flood.hosts.size, 4)
  assert.doesNotMatch(explain(host_of(flood, flood.last), flood.last, 'en').sentence, /undefined|null/)
})

test('clients that are not answered are lost, and ended clients stay counted', () => {
  const state = fold(story(...up, connect, ['client', 'failed', { why: 'reset' }], ['client', 'stop', { code: 1 }]))
  assert.deepStrictEqual(asked(state), { asked: 1, answered: 0, lost: 1 })
  assert.strictEqual(state.clients.size, 0)
})

test('a request that is tried again on another connection is one, and is lost only when the client says so', () => {
  const [a, b] = ['127.0.0.1:7', '127.0.0.1:9']
  const asks = conn => ['client', 'request', { conn, method: 'GET', target: '/' }]
  const has = conn => ['client', 'response', { conn, status: 200, us: 5 }]
  const connects = conn => ['client', 'connect', { conn, fd: 5 }]
  const kept = [...up, connects(a), ['w0', 'accept', { conn: a, fd: 9, wakeups: 0 }], asks(a), has(a), answer, asks(a)]
  const sums = (...told) => asked(fold(story(...kept, ...told)))
  const dies = ['main', 'worker_exit', { worker: 0, worker_pid: 20, code: null, signal: 'SIGKILL' }]
  assert.deepStrictEqual(sums(), { asked: 2, answered: 1, lost: 0 }, 'it waits')
  assert.deepStrictEqual(sums(dies, connects(b), asks(b)), { asked: 2, answered: 1, lost: 0 }, 'it waits again')
  assert.deepStrictEqual(sums(connects(b), dies, asks(b), has(b), answer), { asked: 2, answered: 2, lost: 0 })
  const failed = ['client', 'failed', { why: 'reset' }]
  assert.deepStrictEqual(sums(dies, failed), { asked: 2, answered: 1, lost: 1 })
  assert.deepStrictEqual(sums(dies, failed, connects(b), asks(b)), { asked: 3, answered: 1, lost: 1 }, 'the next one')
  // Who is stopped does not tell that a connection is over.
  assert.deepStrictEqual(sums(failed), { asked: 2, answered: 1, lost: 1 })
  // The client is through before its main has told who has died; or it was interrupted, and one waits for ever.
  assert.deepStrictEqual(sums(connects(b), asks(b), has(b), answer, ['client', 'stop', { code: 0 }], dies), { asked: 2, answered: 2, lost: 0 })
  assert.deepStrictEqual(sums(['client', 'stop', { code: 143 }]), { asked: 2, answered: 1, lost: 0 })
  assert.deepStrictEqual(sums(failed, connects(b), asks(b), has(b), answer, ['client', 'stop', { code: 1 }]), { asked: 3, answered: 2, lost: 1 })
})

test('a main that was killed is gone with its port, its workers and what they had, and says so nowhere itself', () => {
  const events = story(...up, connect, accept, send, receive, close_copy)
  assert.deepStrictEqual(mains_left(fold(events)), [['', 10]])
  const why = 'socket_fanout was killed by SIGKILL'
  const last = vanished(10, events.at(-1).t_us, why, '')
  assert.strictEqual(is_event(last), false, 'a stream or a recording may not say it')
  const state = fold([...events, last])
  assert.deepStrictEqual(mains_left(state), [])
  assert.deepStrictEqual([state.main, ...state.workers].map(one => [one.gone !== '', one.fds.size]), [[true, 0], [true, 0], [true, 0]])
  assert.deepStrictEqual([state.connections.get(conn).place, state.connections.get(conn).reason], ['closed', 'died'])
  for (const language of ['en', 'zh']) {
    assert.ok(explain(state, last, language).sentence.includes(why))
    assert.doesNotMatch(explain(state, { ...last, why: '' }, language).sentence, /undefined|null/)
  }
  // One that has told its end is left as it was, and so is the one that comes after it.
  const stop = ['main', 'stop', { code: 0 }]
  assert.deepStrictEqual(mains_left(fold(story(...up, stop))), [])
  assert.strictEqual(fold([...story(...up, stop), last]).workers[0].gone, '')
  assert.deepStrictEqual(mains_left(fold([...events, { ...last, pid: 9 }])), [['', 10]])
  // Of several hosts each has its own.
  const on = host => events.filter(one => one.role !== 'client').map(event => ({ ...event, host }))
  const both = fold([...on('a'), ...on('b'), vanished(10, 5000, '', 'a')])
  assert.deepStrictEqual(mains_left(both), [['b', 10]])
})

test('what is known after all events does not depend on what is shown', () => {
  const one = new player(new_state, apply)
  one.add(story(...up, connect))
  one.add(Array.from({ length: 2500 }, (_, i) => at(5000 + i, i)))
  const all = structuredClone(one.state)
  one.step(-one.shown)
  assert.deepStrictEqual(one.latest(), all)
  assert.strictEqual(one.shown, 0)
})

test('a flood does not fill the memory', () => {
  const state = fold(story(...up))
  for (let i = 0; i < 30000; ++i) apply(state, { ...story(connect)[0], conn: `127.0.0.1:${i}`, t_us: 2000 + i })
  assert.ok(state.connections.size <= 20000)
  for (let i = 0; i < 1000; ++i) apply(state, { ...story(send)[0], t_us: 99999 + i })
  assert.ok(state.crossings.length <= 200)
  for (let i = 0; i < 1000; ++i) apply(state, { ...story(up[2])[0], worker: i, worker_pid: 1000 + i })
  assert.ok(state.workers.length <= 256)
  assert.strictEqual(state.numbered, 30000)
})

for (const name of examples) {
  test(`the recording of ${name} is as the schema has it, and every answer finds its worker`, () => {
    const { events, refused } = read_recording(recording(name))
    assert.strictEqual(refused, 0)
    for (const event of events) assert.strictEqual(fault_of(event), '', JSON.stringify(event))
    const state = fold(events)
    assert.strictEqual(state.program, name)
    assert.deepStrictEqual(asked(state), { asked: 5, answered: 5, lost: 0 })
    for (const worker of state.workers) {
      const by = events.filter(one => one.ev === 'answer' && one.by === String(worker.pid)).length
      assert.deepStrictEqual([worker.connections, worker.answers], [by, by])
    }
    assert.strictEqual(state.crossings.filter(one => one.received === null).length, 0)
    assert.ok([...state.connections.values()].every(one => one.place === 'closed' && one.answered_by !== null && one.holders.size === 0))
  })

  test(`the recording of ${name}: a step back shows what was there before, whatever way it came`, () => {
    const { events } = read_recording(recording(name))
    const one = new player(new_state, apply)
    const shuffled = events.map((event, i) => [event, i]).sort(([a, i], [b, j]) => a.seq % 3 - b.seq % 3 || i - j).map(([event]) => event)
    for (const event of shuffled) one.add([event])
    const times = events.map(event => event.t_us)
    assert.deepStrictEqual(one.events.map(event => event.t_us), times)
    assert.deepStrictEqual(asked(one.state), asked(fold(events)))
    for (let shown = events.length - 1; shown >= 0; --shown) {
      one.step(-1)
      assert.deepStrictEqual(one.state, fold(one.events.slice(0, shown)))
    }
  })
}

// ---- time

const at = (t_us, i) => ({ v: 1, seq: i, t_us, pid: 10, role: 'main', slot: null, ev: 'line', text: String(i) })

test('slow motion shows an event when its time has come, and skips what nobody told anything in', () => {
  const one = new player(new_state, apply)
  one.add([1000, 2000, 3000, 9000000].map(at))
  one.speed = 0.001 // a millisecond takes a second
  one.seek(1000)
  one.play()
  one.tick(0)
  assert.strictEqual(one.shown, 1)
  one.tick(999)
  assert.strictEqual(one.shown, 1)
  one.tick(2)
  assert.strictEqual(one.shown, 2)
  one.tick(1000)
  assert.strictEqual(one.shown, 3)
  one.tick(10)
  assert.ok(one.skipped > 8.9e6)
  assert.strictEqual(one.shown, 3)
  one.tick(400)
  assert.strictEqual(one.shown, 4)
  one.tick(10)
  assert.strictEqual(one.mode, 'paused')
})

test('who has paused sees nothing new, and live shows all of it', () => {
  const one = new player(new_state, apply)
  one.add([1000, 2000].map(at))
  one.pause()
  one.add([at(3000, 2)])
  assert.strictEqual(one.shown, 2)
  one.add([at(1500, 3)]) // told later, and before what is shown: it is put there
  assert.deepStrictEqual([one.shown, one.state.last.t_us], [3, 2000])
  one.live()
  assert.deepStrictEqual([one.shown, one.now], [4, 3000])
})

test('what is told late is in every state behind it', () => {
  const one = new player(new_state, apply)
  one.add(story(...up))
  one.add(Array.from({ length: 5000 }, (_, i) => at(5000 + i, i)))
  one.add([{ ...story(connect)[0], t_us: 5500 }])
  one.step(-1500)
  one.step(-10)
  assert.strictEqual(one.state.connections.size, 1)
  assert.deepStrictEqual(one.state, fold(one.events.slice(0, one.shown)))
})

test('the oldest events are forgotten, counted, and what they have made stays', () => {
  const one = new player(new_state, apply)
  one.add(story(...up))
  for (let k = 0; k < 60; ++k) one.add(Array.from({ length: 1000 }, (_, i) => at(5000 + k * 1000 + i, i)))
  assert.strictEqual(one.forgotten + one.events.length, 60005)
  assert.ok(one.events.length <= 51000 && one.forgotten > 0)
  assert.deepStrictEqual([one.shown, one.state.workers.length], [one.events.length, 2])
  one.step(-1)
  one.seek(0)
  assert.deepStrictEqual([one.shown, one.state.workers.length], [0, 2])
})

test('the last burst is what happened together, and is shown again slowly', () => {
  const one = new player(new_state, apply)
  one.add([1000, 2000, 9000000, 9000100, 9016000].map(at))
  assert.deepStrictEqual(one.burst(), { from: 9000000, to: 9016000 })
  one.again()
  assert.deepStrictEqual([one.mode, one.shown, speeds.includes(one.speed), one.speed], ['playing', 2, true, 0.001])
})

test('an empty page can be stepped, played and fitted', () => {
  const one = new player(new_state, apply)
  for (const action of [() => one.step(1), () => one.step(-1), () => one.play(), () => one.tick(16), () => one.again(), () => one.live(), () => one.seek(5), () => one.burst()]) action()
  assert.strictEqual(one.shown, 0)
})

// ---- words

const keys_of = value => Object.entries(value).flatMap(([key, one]) => typeof one === 'object' ? keys_of(one).map(inner => `${key}.${inner}`) : key).sort()

test('both languages have the same words, and the page names no other', () => {
  assert.deepStrictEqual(keys_of(labels.zh), keys_of(labels.en))
  const named = [...fs.readFileSync(path.join(parts, 'page.html'), 'utf8').matchAll(/data-(?:label|name)="(\w+)"/g)].map(([, name]) => name)
  assert.ok(named.length > 40)
  for (const name of named) assert.strictEqual(typeof labels.en[name], 'string', name)
})

test('each event has its sentence in both languages, and a chapter that is there', () => {
  const seen = new Set()
  for (const name of examples) {
    const state = new_state()
    for (const event of read_recording(recording(name)).events) {
      apply(state, event)
      seen.add(event.ev)
      for (const language of ['en', 'zh']) {
        const { sentence, file } = explain(state, event, language)
        assert.doesNotMatch(sentence, /undefined|null|NaN|\[object/, JSON.stringify(event))
        assert.ok(fs.existsSync(path.join(top, file)), file)
      }
    }
  }
  const rare = story(...up, ['main', 'strategy', { how: 'rotate', workers: 2 }], ['w0', 'wakeup', { empty: true }], ['main', 'worker_exit', { worker: 0, worker_pid: 20, code: null, signal: 'SIGKILL' }], ['main', 'respawn', { worker: 0, after_ms: 5 }], ['main', 'dropped', { count: 5 }], ['client', 'failed', { why: 'x' }])
  for (const event of rare) {
    seen.add(event.ev)
    for (const language of ['en', 'zh']) assert.doesNotMatch(explain(fold(rare), event, language).sentence, /undefined|null|NaN/)
  }
  assert.deepStrictEqual([...seen].sort(), Object.keys(fields_of).sort())
})

test('a hand-over is told with both numbers', () => {
  const events = story(...up, connect, accept, send, receive)
  assert.match(explain(fold(events), events.at(-1), 'en').sentence, /12 → 19 in worker 0/)
})

test('a duration has the digits that tell something', () => {
  assert.deepStrictEqual([0, 7, 1500, 16000, 2500000].map(duration), ['0 µs', '7 µs', '1.5 ms', '16 ms', '2.5 s'])
})

// ---- the command that does the same by hand

test('the commands by hand have options that the programs have', () => {
  const help_of = program => fs.readFileSync(path.join(top, `tests/golden/${program}.txt`), 'utf8')
  const choice = { mode: 'all', accept: 'race', workers: 2, delay: 7, respawn: true }
  const commands = [...examples.map(demo => demo_command({ ...choice, demo })), load_command({ demo: 'http_cluster', port: 9, count: 40, concurrency: 5, keep_alive: true }), load_command({ demo: 'socket_fanout', port: 9, count: 5, concurrency: 5, keep_alive: true })]
  for (const command of commands) {
    const help = help_of(path.basename(command.split(' ')[0]))
    for (const [option] of command.matchAll(/--[\w-]+/g)) assert.ok(help.includes(option), `${command}: ${option}`)
  }
  assert.strictEqual(demo_command({ demo: 'socket_fanout', mode: 'rotate', accept: 'step_back', workers: 4, delay: 100, respawn: false }), 'build/demos/socket_fanout')
  assert.strictEqual(signal_command('stop', 5), 'kill -STOP 5')
  const known = [[], up, [...up, ['main', 'stop', { code: 0 }]]].map(told => fold(story(...told)).main)
  assert.deepStrictEqual(known.map(end_command), ['Ctrl-C', 'kill -INT 10', 'Ctrl-C'])
})

// ---- one file

test('the parts are joined to one page under 150 KB that asks nobody for anything', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'page-'))
  try {
    const file = path.join(folder, 'page.html')
    execFileSync('cmake', ['-D', `PAGE=${file}`, '-P', path.join(parts, 'join.cmake')])
    const page = fs.readFileSync(file, 'utf8')
    assert.ok(Buffer.byteLength(page) < 150000)
    const [, script] = page.match(/<script type="module">([^]*)<\/script>/)
    const [, style] = page.match(/<style>([^]*)<\/style>/)
    const hash = text => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
    const [, policy] = page.match(/Content-Security-Policy" content="([^"]*)"/)
    assert.ok(policy.includes(`script-src ${hash(script)};`), 'the only script')
    assert.ok(policy.includes(`style-src ${hash(style)};`), 'the only style')
    assert.doesNotMatch(policy, /unsafe/)
    assert.doesNotMatch(script, /^(import|export) /m)
    assert.doesNotMatch(script, /innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/)
    assert.doesNotMatch(page, / on\w+="| style="|@(script|style|policy)@/)
    assert.deepStrictEqual([...page.matchAll(/https?:\/\/[^'"\s]+/g)].map(([address]) => address), ['http://www.w3.org/2000/svg'])
    fs.writeFileSync(path.join(folder, 'script.mjs'), script)
    execFileSync(process.execPath, ['--check', path.join(folder, 'script.mjs')])
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})
