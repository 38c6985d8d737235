// node --test tests/events/events_test.js
//
// --json: every line of every program is as schema.json has it, nothing is told twice or not at all, and the sums add up.
'use strict'
const assert = require('assert')
const { once } = require('events')
const fs = require('fs')
const { test } = require('node:test')
const { count, expect_whole, fault_of, parse, run_client, start, start_demo } = require('./recorded.js')
const { command_of } = require('../support/shell.js')

const clients = 7
const worker_of = (events, pid) => events.find(one => one.ev === 'worker_up' && one.worker_pid === pid)?.worker

// What every run has: who exists, in the beginning and in the end.
function expect_told(events, program, main, workers) {
  expect_whole(events)
  const own = events.filter(one => one.role === 'main')
  assert.strictEqual(own[0].ev, 'start')
  assert.strictEqual(own[0].program, program)
  assert.strictEqual(own[0].pid, main)
  assert.deepStrictEqual({ ev: own.at(-1).ev, code: own.at(-1).code }, { ev: 'stop', code: 0 })
  assert.strictEqual(events.at(-1), own.at(-1), 'nobody tells anything behind the end of the main')
  assert.deepStrictEqual(events.filter(one => one.ev === 'worker_up').map(one => one.worker_pid), workers)
  assert.deepStrictEqual(events.filter(one => one.ev === 'worker_exit').map(one => one.worker_pid).sort(), [...workers].sort())
  for (const one of events.filter(one => one.role === 'worker')) assert.strictEqual(one.slot, worker_of(events, one.pid))
}

// Each of these events once for each connection, by the same address.
function expect_each(events, conns, ...names) {
  for (const name of names)
    assert.deepStrictEqual(events.filter(one => one.ev === name && 'conn' in one).map(one => one.conn).sort(), [...conns].sort(), name)
}

test('socket_fanout: what the main accepts it sends, a worker receives and ends', async () => {
  const demo = await start_demo('socket_fanout', ['--delay', '1'])
  const asked = await run_client('net_client', demo.port, ['--count', clients])
  const { events } = await demo.stop()
  expect_told(events, 'socket_fanout', demo.child.pid, demo.workers)
  expect_whole(asked.events)
  const conns = asked.events.filter(one => one.ev === 'connect').map(one => one.conn)
  assert.strictEqual(new Set(conns).size, clients)
  expect_each(events, conns, 'accept', 'send_fd', 'close_copy', 'recv_fd', 'shutdown', 'conn_closed')
  assert.deepStrictEqual(count(events, 'line', 'listening', 'strategy', 'dropped'), [clients, 1, 1, 0])
  for (const sent of events.filter(one => one.ev === 'send_fd')) {
    const arrived = events.find(one => one.ev === 'recv_fd' && one.conn === sent.conn)
    assert.strictEqual(sent.to_pid, arrived.pid)
    assert.strictEqual(sent.to, arrived.slot)
    assert.strictEqual(sent.bytes, arrived.bytes)
    assert.ok(sent.t_us <= arrived.t_us, 'one clock')
    assert.strictEqual(sent.role, 'main')
  }
  const answered = asked.events.filter(one => one.ev === 'answer').map(one => one.by)
  assert.deepStrictEqual(answered.sort(), events.filter(one => one.ev === 'conn_closed').map(one => String(one.pid)).sort())
})

for (const mode of ['all', 'fork']) {
  test(`socket_fanout --mode ${mode}: every copy is told of`, async () => {
    const demo = await start_demo('socket_fanout', ['--delay', '1', '--mode', mode, '--workers', '3'])
    const asked = await run_client('net_client', demo.port, ['--count', 3, '--concurrency', 1])
    assert.strictEqual(asked.code, 0)
    const { events } = await demo.stop()
    expect_whole(events)
    const copies = mode === 'all' ? 9 : 3
    assert.deepStrictEqual(count(events, 'accept', 'send_fd', 'recv_fd', 'conn_closed'), [3, copies, copies, copies])
    assert.deepStrictEqual(count(events, 'worker_up', 'worker_exit'), mode === 'all' ? [3, 3] : [9, 9])
  })
}

for (const program of ['http_cluster', 'cluster']) {
  test(`${program}: each event of a host that has a name has it, and no other`, async () => {
    for (const [words, host] of [[['--name', 'a'], 'a'], [[], undefined]]) {
      const demo = await start_demo(program, ['--workers', '2', ...words])
      await run_client('http_client', demo.port, ['--count', 3])
      const { events } = await demo.stop()
      expect_whole(events)
      assert.ok(count(events, 'request')[0] === 3 && events.every(one => one.host === host))
    }
  })
}

test('server_handoff: the main sends its server to each worker and closes it; the workers accept', async () => {
  const demo = await start_demo('server_handoff', ['--delay', '1'])
  const asked = await run_client('net_client', demo.port, ['--count', clients])
  const { events } = await demo.stop()
  expect_told(events, 'server_handoff', demo.child.pid, demo.workers)
  const conns = asked.events.filter(one => one.ev === 'connect').map(one => one.conn)
  expect_each(events, conns, 'accept', 'shutdown', 'conn_closed')
  const servers = events.filter(one => one.ev === 'send_fd')
  assert.deepStrictEqual(servers.map(one => [one.kind, one.to]), [['server', 0], ['server', 2], ['server', 1], ['server', 3]])
  assert.deepStrictEqual(events.filter(one => one.ev === 'recv_fd').map(one => [one.kind, one.slot]).sort(), [0, 1, 2, 3].map(slot => ['server', slot]))
  const own = servers[0].fd
  assert.ok(events.some(one => one.ev === 'close_copy' && one.role === 'main' && one.fd === events.find(one => one.ev === 'listening').fd))
  assert.ok(Number.isInteger(own))
  const accepted = events.filter(one => one.ev === 'accept')
  assert.ok(accepted.every(one => one.role === 'worker'))
  assert.ok(accepted.reduce((sum, one) => sum + one.wakeups, 0) <= count(events, 'wakeup')[0], 'each wake-up in vain is told of, too')
})

for (const words of [[], ['--accept', 'race'], ['--accept', 'exclusive']]) {
  test(`http_cluster ${words.join(' ')}: a request and its answer are told of by both ends`, async () => {
    const demo = await start_demo('http_cluster', words)
    const asked = await run_client('http_client', demo.port, ['--count', clients])
    const { events } = await demo.stop()
    expect_told(events, 'http_cluster', demo.child.pid, demo.workers)
    const conns = asked.events.filter(one => one.ev === 'connect').map(one => one.conn)
    for (const side of [events, asked.events]) {
      expect_each(side, conns, 'request', 'response')
      assert.ok(side.filter(one => one.ev === 'request').every(one => one.method === 'GET' && one.target === '/'))
      assert.ok(side.filter(one => one.ev === 'response').every(one => one.status === 200))
    }
    expect_each(events, conns, 'accept', 'conn_closed')
    assert.deepStrictEqual(asked.events.filter(one => one.ev === 'answer').map(one => one.by).sort(), events.filter(one => one.ev === 'request').map(one => String(one.pid)).sort())
  })
}

for (const policy of ['round_robin', 'least_busy', 'shared']) {
  test(`cluster --policy ${policy}: the same, as the primary decides`, async () => {
    const demo = await start_demo('cluster', ['--policy', policy])
    const asked = await run_client('http_client', demo.port, ['--count', clients])
    const { events } = await demo.stop()
    expect_told(events, 'cluster', demo.child.pid, demo.workers)
    const conns = asked.events.filter(one => one.ev === 'connect').map(one => one.conn)
    expect_each(events, conns, 'accept', 'request', 'response', 'conn_closed')
    const accepted = events.filter(one => one.ev === 'accept').every(one => one.role === (policy === 'shared' ? 'worker' : 'main'))
    assert.ok(accepted)
    if (policy !== 'shared') expect_each(events, conns, 'send_fd', 'recv_fd')
    else assert.deepStrictEqual(events.filter(one => one.ev === 'recv_fd').map(one => one.kind), Array(4).fill('server'))
  })
}

test('invalid_handle: what is sent and what its child receives', async () => {
  const { code, out } = await start('demos/invalid_handle', ['--json']).ended
  assert.strictEqual(code, 0)
  const events = parse(out)
  expect_whole(events)
  for (const name of ['send_fd', 'recv_fd']) assert.deepStrictEqual(events.filter(one => one.ev === name).map(one => one.kind), ['connection', 'server'])
  assert.strictEqual(events.filter(one => one.ev === 'line' && /ERR_INVALID_HANDLE_TYPE/.test(one.text)).length, 4)
  assert.deepStrictEqual(count(events, 'start', 'stop'), [1, 1])
})

test('a killed worker: its exit, its successor after a pause, and its events up to there', async () => {
  const demo = await start_demo('http_cluster', ['--respawn', '--workers', '2'])
  await run_client('http_client', demo.port)
  process.kill(demo.workers[1], 'SIGKILL')
  while (!/takes its place/.test(demo.said.err)) await new Promise(resolve => demo.child.stderr.once('data', resolve))
  const { events } = await demo.stop()
  expect_whole(events)
  const killed = events.find(one => one.ev === 'worker_exit')
  assert.deepStrictEqual([killed.worker, killed.worker_pid, killed.code, killed.signal], [1, demo.workers[1], null, 'SIGKILL'])
  const again = events.find(one => one.ev === 'respawn')
  assert.strictEqual(again.worker, 1)
  const successor = events.filter(one => one.ev === 'worker_up').at(-1)
  assert.strictEqual(successor.worker, 1)
  assert.ok(killed.seq < again.seq && again.seq < successor.seq)
})

test('a worker that is no program of ours tells nothing, and the main tells its half', async () => {
  const demo = await start_demo('socket_fanout', ['--child', command_of([process.execPath, `${__dirname}/../interop/node/socket_fanout/child.js`])])
  await run_client('net_client', demo.port)
  const { events } = await demo.stop()
  expect_whole(events)
  assert.deepStrictEqual(count(events, 'accept', 'send_fd', 'recv_fd'), [5, 5, 0])
  assert.ok(events.every(one => one.role === 'main'))
})

// How many wait in the listener's queue: what tcpi_unacked of TCP_INFO says, too (inet_diag, tcp_get_info in the kernel).
function waiting(port) {
  const hex = Number(port).toString(16).toUpperCase().padStart(4, '0')
  const listening = fs.readFileSync('/proc/net/tcp', 'utf8').split('\n').map(line => line.trim().split(/\s+/)).find(([, local, , state]) => local?.endsWith(`:${hex}`) && state === '0A')
  return parseInt(listening[4].split(':')[1], 16)
}

test('a connection that nobody has accepted is a connect without accept, and waits in the kernel', async () => {
  const demo = await start_demo('server_handoff', ['--delay', '0', '--workers', '1'])
  process.kill(demo.workers[0], 'SIGSTOP')
  const client = start('clients/net_client', ['--json', '--port', demo.port, '--count', '3'])
  while (client.said.out.split('"connect"').length - 1 < 3) await once(client.child.stdout, 'data')
  assert.strictEqual(waiting(demo.port), 3)
  assert.deepStrictEqual(count(parse(demo.said.out), 'accept'), [0])
  process.kill(demo.workers[0], 'SIGCONT')
  const { code, out } = await client.ended
  assert.strictEqual(code, 0)
  const { events } = await demo.stop()
  expect_each(events, parse(out).filter(one => one.ev === 'connect').map(one => one.conn), 'accept', 'conn_closed')
})

test('whoever does not read loses events, is told how many, and delays nobody', async () => {
  const demo = await start_demo('http_cluster', ['--workers', '2'], { reads: false })
  const { code, err } = await start('clients/http_client', ['--port', demo.port, '--count', '8000', '--concurrency', '8', '--keep-alive', '--quiet']).ended
  assert.strictEqual(code, 0, err)
  demo.child.stdout.resume()
  while (!/"ev":"dropped"/.test(demo.said.out)) await once(demo.child.stdout, 'data')
  for (let conn; !conn || !demo.said.out.includes(conn);) { // until there is room: the last event of each worker counts
    conn = (await run_client('http_client', demo.port)).events.find(one => one.ev === 'connect').conn
  }
  const { events } = await demo.stop()
  const last = new Map(events.map(one => [one.pid, one.seq]))
  const told = [...last.values()].reduce((sum, seq) => sum + seq + 1, 0)
  const dropped = events.filter(one => one.ev === 'dropped').reduce((sum, one) => sum + one.count, 0)
  assert.ok(dropped > 0)
  assert.strictEqual(told, events.length + dropped)
})

test('a client tells of what has failed, and of nothing else that it would have printed', async () => {
  const nobody = await run_client('net_client', '1')
  assert.strictEqual(nobody.code, 3)
  assert.deepStrictEqual(nobody.events.map(one => one.ev), ['start', 'stop'])
  assert.strictEqual(nobody.events[1].code, 3)
  const both = await start('clients/net_client', ['--json', '--tally']).ended
  assert.strictEqual(both.code, 2)
  assert.strictEqual(both.out, '')
})

test('fault_of finds what is wrong', () => {
  const good = { v: 1, seq: 0, t_us: 5, pid: 7, role: 'worker', slot: 0, ev: 'accept', conn: '127.0.0.1:1', fd: 5, wakeups: 0 }
  assert.strictEqual(fault_of(good), '')
  for (const bad of [{ fd: '5' }, { fd: -1 }, { slot: -1 }, { role: 'spy' }, { v: 2 }, { pid: 0 }, { ev: 'x' }, { conn: 5 }, { more: 1 }, { wakeups: 1.5 }, { seq: null }])
    assert.notStrictEqual(fault_of({ ...good, ...bad }), '', JSON.stringify(bad))
  const { wakeups, ...less } = good
  assert.strictEqual(fault_of(less), 'wakeups is missing')
})
