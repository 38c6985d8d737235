// node --test tests/browser/live_test.js
//
// The page of demos/live with its real server and real processes: what one chooses is what runs, what is shown is what happened, and
// nobody is lost where the suite promises that.
'use strict'
const assert = require('assert')
const { spawn } = require('child_process')
const fs = require('fs')
const http = require('http')
const os = require('os')
const path = require('path')
const readline = require('readline')
const test = require('node:test')
const { modules, with_browser } = require('./chromium.js')

const top = path.join(__dirname, '../..')
const runs = pid => fs.existsSync(`/proc/${pid}`)

// Between the page and its server, and cuts the stream when told to.
async function start_proxy(address) {
  const { host, origin } = new URL(address)
  const streams = new Set()
  const resumed = [] // of each stream: the id that the page has, and the text that comes
  let admitted = Promise.resolve()
  const server = http.createServer(async (request, response) => {
    const is_stream = request.url === '/events'
    if (is_stream) await admitted
    const headers = { ...request.headers, host, ...(request.headers.origin && { origin }) }
    const asked = http.request(address + request.url.slice(1), { method: request.method, headers, agent: false }, answer => {
      response.writeHead(answer.statusCode, answer.headers)
      answer.on('error', () => response.destroy())
      if (!is_stream) return answer.pipe(response)
      const stream = { has: request.headers['last-event-id'], text: '' }
      resumed.push(stream)
      streams.add(response)
      response.on('close', () => { streams.delete(response); asked.destroy() })
      answer.on('data', part => { stream.text += part; response.write(part) })
      answer.on('end', () => response.end())
    })
    asked.on('error', () => response.destroy())
    request.pipe(asked)
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    resumed, address: `http://127.0.0.1:${server.address().port}/`,
    // Ends the streams. The page gets another one when what this returns is called.
    cut: () => {
      let admit
      admitted = new Promise(resolve => { admit = resolve })
      for (const stream of streams) stream.destroy()
      return admit
    },
    end: () => { server.closeAllConnections(); server.close() }
  }
}

// Starts the server, opens its page, calls `visit`, and ends both: no fault on the console, no request to anybody else, nobody left running.
// `expected`: what the console may say. `behind_proxy`: it is opened through start_proxy.
async function with_page(visit, { flags = [], behind_proxy = false, expected = /^$/, ...options } = {}) {
  const live = spawn(path.join(top, 'build/demos/live'), ['--port', '0', ...flags], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise(resolve => live.on('exit', (code, signal) => resolve(code ?? signal)))
  let proxy
  try {
    const lines = readline.createInterface({ input: live.stderr })
    const own = await new Promise((resolve, reject) => {
      lines.on('line', line => { const found = line.match(/http:\/\/\S+\//); if (found) resolve(found[0]) })
      ended.then(code => reject(new Error(`live has ended: ${code}`)))
    })
    if (behind_proxy) proxy = await start_proxy(own)
    const address = proxy?.address ?? own
    await with_browser(async browser => {
      const page = await (await browser.newContext({ locale: 'en', viewport: { width: 1440, height: 900 }, ...options })).newPage()
      const faults = []
      page.on('console', one => { if (!expected.test(one.text())) faults.push(one.text()) })
      page.on('pageerror', error => faults.push(error.stack))
      page.on('request', request => { if (!request.url().startsWith(address) && !request.url().startsWith('data:')) faults.push(request.url()) })
      await page.goto(address)
      await page.waitForSelector('[data-source=own]')
      await visit(page, proxy)
      assert.deepStrictEqual(faults, [])
    })
  } finally {
    proxy?.end()
    live.kill('SIGINT')
    assert.strictEqual(await ended, 0)
  }
}

const rows = page => page.$$eval('tbody tr', all => all.map(row => [...row.cells].map(cell => cell.textContent)))
const pids = async page => (await rows(page)).map(row => Number(row[1]))
const choose = async (page, demo, settings = {}) => {
  await page.check(`[name=demo][value=${demo}]`)
  for (const [name, value] of Object.entries(settings)) {
    const field = page.locator(`[name=${name}]`)
    if (name === 'workers' || name === 'delay') await field.fill(String(value))
    else await field.selectOption(value)
  }
  await page.click('#controls [type=submit]')
}
const workers_shown = (page, count) => page.waitForFunction(count => document.querySelectorAll('tbody tr').length === count, count)
// A worker tells what it did a moment later than the client.
const workers_tell = (page, count) => page.waitForFunction(count => [...document.querySelectorAll('tbody tr')].reduce((sum, row) => sum + Number(row.cells[3].textContent), 0) === count, count)
const asked = (page, text) => page.waitForFunction(text => document.querySelector('#asked').textContent === text, text)

// The demo has to be there before it can be asked: the page says so, and one tries again.
async function load(page, count, text) {
  await page.waitForFunction(() => /\d/.test(document.querySelector('.kernel .port').textContent))
  await page.click(`[data-count="${count}"]`)
  await asked(page, text)
}

test('forty requests are forty answers, in the sum and in the table', () => with_page(async page => {
  await choose(page, 'http_cluster', { workers: 3 })
  await workers_shown(page, 3)
  await load(page, 40, 'clients say: 40 asked, 40 answered, 0 lost')
  await workers_tell(page, 40)
}))

test('each example and each way to accept can be chosen, and the one before is gone', () => with_page(async page => {
  let before = []
  for (const [demo, settings] of [['socket_fanout', { mode: 'rotate' }], ['socket_fanout', { mode: 'all' }], ['server_handoff', { accept: 'race' }], ['http_cluster', { accept: 'exclusive' }]]) {
    await choose(page, demo, { ...settings, workers: 2, delay: 0 })
    await page.waitForFunction(before => {
      const now = [...document.querySelectorAll('tbody tr')].map(row => Number(row.cells[1].textContent))
      return now.length === 2 && now.every(pid => pid > 0 && !before.includes(pid))
    }, before)
    assert.deepStrictEqual(before.filter(runs), [])
    before = await pids(page)
    assert.ok(before.every(runs))
  }
}))

// What the clients have said themselves, in the file that --record has written.
function counted(file) {
  const events = fs.readFileSync(file, 'utf8').trim().split('\n').map(JSON.parse).filter(one => one.role === 'client')
  const count = ev => events.filter(one => one.ev === ev).length
  return { answered: count('answer'), lost: count('failed') }
}

async function with_recorded_page(visit) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'live-'))
  const file = path.join(folder, 'events.jsonl')
  try {
    await with_page(page => visit(page, file), { flags: ['--record', file] })
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

test('a worker that is killed has a successor with another PID, and each client is counted as it counts itself', () => with_recorded_page(async (page, file) => {
  await choose(page, 'socket_fanout', { workers: 3 })
  await workers_shown(page, 3)
  const before = await pids(page)
  await page.waitForFunction(() => /\d/.test(document.querySelector('.kernel .port').textContent))
  await page.click('.boxes .process >> nth=1 >> [data-name=kill]')
  await page.waitForFunction(pid => Number(document.querySelectorAll('tbody tr')[1].cells[1].textContent) !== pid, before[1])
  assert.ok(!runs(before[1]))
  const now = await pids(page)
  assert.deepStrictEqual([now[0], now[2]], [before[0], before[2]])
  await load(page, 5, 'clients say: 5 asked, 5 answered, 0 lost')

  // Now while it has clients: some of these may be lost, and then the page says so, as they do. Nobody is forgotten.
  await page.click('[data-count="40"]')
  await page.waitForFunction(() => !/^clients say: 5 /.test(document.querySelector('#asked').textContent))
  await page.click('.boxes .process >> nth=0 >> [data-name=kill]')
  await page.waitForFunction(() => {
    const [, asked, answered, lost] = document.querySelector('#asked').textContent.match(/(\d+) asked, (\d+) answered, (\d+) lost/).map(Number)
    return asked === 45 && answered + lost === 45
  })
  const [, answered, lost] = (await page.textContent('#asked')).match(/(\d+) answered, (\d+) lost/).map(Number)
  assert.deepStrictEqual(counted(file), { answered, lost })
  await page.waitForFunction(pid => Number(document.querySelectorAll('tbody tr')[0].cells[1].textContent) !== pid, now[0])
}))

test('on connections that are kept, what a killed worker leaves is asked again, and counted once', () => with_recorded_page(async (page, file) => {
  await choose(page, 'http_cluster', { workers: 1, delay: 250 })
  await workers_shown(page, 1)
  await page.waitForFunction(() => /\d/.test(document.querySelector('.kernel .port').textContent))
  await page.fill('[name=concurrency]', '40')
  await page.check('[name=keep_alive]')
  await page.click('[data-count="500"]')
  await page.waitForFunction(() => Number(document.querySelector('#asked').textContent.match(/(\d+) answered/)[1]) > 40) // connections have been used again
  await page.click('.boxes .process >> nth=0 >> .kill')
  await page.waitForFunction(() => {
    const [, answered, lost] = document.querySelector('#asked').textContent.match(/(\d+) answered, (\d+) lost/).map(Number)
    return answered + lost === 500
  })
  assert.match(await page.textContent('#asked'), /^clients say: 500 asked/)
  const tries = fs.readFileSync(file, 'utf8').trim().split('\n').map(JSON.parse).filter(one => one.role === 'client' && one.ev === 'request').length
  assert.ok(tries > 500, `${tries} tries`)
}))

for (const demo of ['socket_fanout', 'server_handoff', 'http_cluster']) {
  test(`${demo}: a worker that dies before it has touched a client loses none of forty, says the page as the clients do`, () => with_recorded_page(async (page, file) => {
    await choose(page, demo, { workers: 3 })
    await workers_shown(page, 3)
    await page.waitForFunction(() => /\d/.test(document.querySelector('.kernel .port').textContent))
    const before = await pids(page)
    const box = '.boxes .process >> nth=1'
    await page.click(`${box} >> .stop`)
    await page.waitForFunction(() => document.querySelectorAll('.boxes .process')[1].querySelector('.state').textContent === 'stopped')
    while (!/\) T /.test(fs.readFileSync(`/proc/${before[1]}/stat`, 'utf8'))) await new Promise(setImmediate) // SIGSTOP has been sent
    await page.fill('[name=concurrency]', '40')
    await page.click('[data-count="40"]')
    // All have their connections, and the stopped one has none of them in hand.
    await page.waitForFunction(() => /^clients say: 40 asked/.test(document.querySelector('#asked').textContent))
    await page.click(`${box} >> .kill`)
    await asked(page, 'clients say: 40 asked, 40 answered, 0 lost')
    await page.waitForFunction(pid => Number(document.querySelectorAll('tbody tr')[1].cells[1].textContent) !== pid, before[1])
    assert.ok(!runs(before[1]))
    assert.deepStrictEqual(counted(file), { answered: 40, lost: 0 })
    await workers_tell(page, 40)
  }))
}

test('a worker that is stopped answers nobody, and does again when it is continued', () => with_page(async page => {
  await choose(page, 'http_cluster', { workers: 1 })
  await workers_shown(page, 1)
  await page.waitForFunction(() => /\d/.test(document.querySelector('.kernel .port').textContent))
  await page.click('.boxes .stop')
  await page.waitForFunction(() => document.querySelector('.boxes .state').textContent === 'stopped')
  await page.click('[data-count="5"]')
  await page.waitForFunction(() => document.querySelectorAll('.queue li').length === 5)
  assert.match(await page.textContent('#asked'), / 0 answered/)
  await page.click('.boxes .continue')
  await asked(page, 'clients say: 5 asked, 5 answered, 0 lost')
  assert.strictEqual(await page.textContent('.boxes .state'), '')
}))

test('a worker that one page has stopped is stopped on each, and each can continue it', () => with_page(async page => {
  await choose(page, 'http_cluster', { workers: 2 })
  await workers_shown(page, 2)
  const states = text => page.waitForFunction(text => [...document.querySelectorAll('.boxes .state')].map(one => one.textContent).join() === text, text)
  await page.waitForFunction(() => /\d/.test(document.querySelector('.kernel .port').textContent))
  await page.click('.boxes .process >> nth=1 >> .stop')
  await states(',stopped')
  await page.reload()
  await states(',stopped')
  const other = await page.context().newPage()
  await other.goto(page.url())
  await other.click('.boxes .process >> nth=1 >> .continue')
  await states(',')
  await load(page, 5, 'clients say: 5 asked, 5 answered, 0 lost')
}))

test('a main that is killed is shown as gone, and why is said, on a page that was there and on one that comes later', () => with_page(async page => {
  await choose(page, 'http_cluster', { workers: 2 })
  await workers_shown(page, 2)
  await load(page, 5, 'clients say: 5 asked, 5 answered, 0 lost')
  process.kill(Number(await page.textContent('.main .pid')), 'SIGKILL')
  const is_said = () => document.querySelector('#source').textContent === 'live: the example has ended, http_cluster was killed by SIGKILL'
  const all_gone = () => [...document.querySelectorAll('.process')].filter(one => one.classList.contains('gone')).length === 3
  for (const comes of [async () => {}, () => page.reload()]) {
    await comes()
    await page.waitForFunction(is_said)
    await page.waitForFunction(all_gone)
    assert.strictEqual(await page.textContent('.kernel .port'), 'nobody listens')
  }
}))

test('a stream that is cut resumes where it was: nothing is missing, and nothing told twice', () => with_page(async (page, proxy) => {
  await choose(page, 'http_cluster', { workers: 2 })
  await workers_shown(page, 2)
  await load(page, 5, 'clients say: 5 asked, 5 answered, 0 lost')
  const admit = proxy.cut()
  await page.waitForSelector('[data-source=lost]')
  await page.click('[data-count="40"]') // which the page is not told of now
  admit()
  await page.waitForSelector('[data-source=own]')
  await asked(page, 'clients say: 45 asked, 45 answered, 0 lost')
  await workers_tell(page, 45)
  assert.strictEqual(await page.textContent('#left_out'), '')
  const { has, text } = proxy.resumed.at(-1)
  const [first] = text.match(/(?<=^id: )\d+/m)
  assert.strictEqual(Number(first), Number(has) + 1)
}, { behind_proxy: true, expected: /ERR_INCOMPLETE|ERR_CONNECTION|net::/ }))

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing while a worker is stopped and clients wait, ${colorScheme}`, () => with_page(async page => {
    await choose(page, 'server_handoff', { workers: 2 })
    await workers_shown(page, 2)
    await page.waitForFunction(() => /\d/.test(document.querySelector('.kernel .port').textContent))
    for (const i of [0, 1]) {
      await page.click(`.boxes .process >> nth=${i} >> .stop`)
      await page.waitForFunction(i => document.querySelectorAll('.boxes .state')[i].textContent === 'stopped', i)
    }
    await page.click('[data-count="5"]')
    await page.waitForFunction(() => document.querySelectorAll('.queue li').length === 5)
    await page.evaluate(fs.readFileSync(path.join(modules, 'axe-core/axe.min.js'), 'utf8'))
    const { violations } = await page.evaluate(() => window.axe.run())
    assert.deepStrictEqual(violations.map(one => `${one.id}: ${one.nodes.map(node => node.target).join(' ')}`), [])
  }, { colorScheme, bypassCSP: true })) // so that axe itself may run
}
