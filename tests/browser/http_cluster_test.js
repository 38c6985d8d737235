// node --test tests/browser/http_cluster_test.js
//
// The address bar of the document: http://localhost:8888 in a real browser, which keeps its connection, and with it its worker.
'use strict'
const assert = require('assert')
const fs = require('fs')
const path = require('path')
const test = require('node:test')
const { Session } = require('../notes/session.js')
const { with_browser } = require('./chromium.js')

const is_stopped = pid => /^\d+ \(.*\) T/s.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))

// Starts http_cluster, visits it, and ends it again.
async function with_cluster(visit) {
  const session = new Session(path.join(__dirname, '../..'))
  try {
    const main = await session.start('build/demos/http_cluster --keep-alive-timeout 60000')
    assert.ok(await session.until(() => session.workers.length === 4, 20000), main.lines.join('\n'))
    await with_browser(browser => visit({ browser, session, main }))
  } finally {
    assert.deepStrictEqual(await session.end(), [], 'processes are left running')
  }
}

// A window with connections of its own. `load` goes to the page, or reloads it, and tells who answered over which connection.
async function open_window(browser, session) {
  const url = `http://localhost:${session.port}/`
  const page = await (await browser.newContext()).newPage()
  const requested = []
  page.on('request', request => requested.push(request.url()))
  const protocol = await page.context().newCDPSession(page)
  await protocol.send('Network.enable')
  let answer
  protocol.on('Network.responseReceived', ({ type, response }) => { if (type === 'Document') answer = response })

  const load = async () => {
    answer = undefined
    await (page.url() === url ? page.reload() : page.goto(url))
    const text = await page.textContent('body')
    const pid = Number(text.match(/^Request handled by worker-(\d+)$/)?.[1])
    assert.ok(session.workers.includes(pid), `"${text}" names none of the workers ${session.workers.join(' ')}`)
    return { pid, status: answer.status, type: answer.mimeType, connection: answer.connectionId, reused: answer.connectionReused }
  }
  return { load, requested, url }
}

async function stop(pid, session) {
  process.kill(pid, 'SIGSTOP')
  assert.ok(await session.until(() => is_stopped(pid), 5000))
}

test('the page shows which worker has answered, and asks nobody else for anything', () => with_cluster(async ({ browser, session }) => {
  const window = await open_window(browser, session)
  const shown = await window.load()
  assert.strictEqual(shown.status, 200)
  assert.strictEqual(shown.type, 'text/plain')
  assert.deepStrictEqual(window.requested.filter(url => !url.startsWith(window.url)), [])
}))

// A browser that finds connecting slow opens a second connection beside the first, and keeps both. So this asks the browser which
// connection brought each page, and goes on until one has brought five.
test('reloading gives the same worker over a kept connection, and only a new connection can give another', () => with_cluster(async ({ browser, session }) => {
  const window = await open_window(browser, session)
  const worker_of = new Map(), pages_of = new Map() // by connection
  for (let i = 0; ![...pages_of.values()].includes(5); i++) {
    assert.ok(i < 50, 'no connection is kept')
    const { pid, connection, reused } = await window.load()
    assert.strictEqual(worker_of.get(connection) ?? pid, pid, 'one connection, one worker')
    assert.ok(!worker_of.has(connection) || reused, 'a connection that brought a page before is not new')
    worker_of.set(connection, pid)
    pages_of.set(connection, (pages_of.get(connection) ?? 0) + 1)
  }
}))

test('a new connection goes to another worker when the first is busy', () => with_cluster(async ({ browser, session }) => {
  const seen = []
  try {
    while (seen.length < 4) {
      const { pid } = await (await open_window(browser, session)).load()
      assert.ok(!seen.includes(pid), `${pid} is stopped, and yet it has answered`)
      seen.push(pid)
      if (seen.length < 4) await stop(pid, session)
    }
  } finally {
    for (const pid of seen) process.kill(pid, 'SIGCONT')
  }
  assert.deepStrictEqual(seen.sort(), [...session.workers].sort(), 'all four, one after the other')
}))

test('when its worker is killed, reloading the page finds another one', () => with_cluster(async ({ browser, session, main }) => {
  const window = await open_window(browser, session)
  const first = await window.load()
  process.kill(first.pid, 'SIGKILL')
  assert.ok(await session.until(() => main.lines.some(line => line.includes(`worker ${first.pid} was killed`)), 5000))
  const second = await window.load()
  assert.notStrictEqual(second.pid, first.pid)
  assert.notStrictEqual(second.connection, first.connection)
}))
