// node --test tests/browser/page_test.js
//
// The page of demos/live in Chromium: what it shows of a recording, what it asks of its server, that nobody can inject anything, and
// that a flood does not stop it. The server here is a stand-in that says and hears what demos/live does.
'use strict'
const assert = require('assert')
const { execFileSync } = require('child_process')
const fs = require('fs')
const http = require('http')
const os = require('os')
const path = require('path')
const test = require('node:test')
const { modules, with_browser } = require('./chromium.js')

const top = path.join(__dirname, '../..')
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'page-'))
process.on('exit', () => fs.rmSync(folder, { recursive: true }))
execFileSync('cmake', ['-D', `PAGE=${folder}/page.html`, '-P', path.join(top, 'demos/live/page/join.cmake')])
const html = fs.readFileSync(`${folder}/page.html`)
const lines_of = name => fs.readFileSync(path.join(top, `notes/recordings/${name}.jsonl`), 'utf8').trim().split('\n')

const running = { demo: 'http_cluster', mode: 'rotate', accept: 'step_back', workers: 4, delay: 0, respawn: true, running: true, source: 'own', command: 'build/demos/http_cluster --respawn' }

// Stands in for demos/live: `orders` are what was asked of it, `tell` writes to every open stream.
async function start_server(state) {
  const streams = new Set()
  const orders = []
  let admitted = Promise.resolve() // the next stream
  const message = (data, name) => `${name ? `event: ${name}\n` : ''}data: ${data}\n\n`
  const server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://page')
    if (pathname === '/') response.setHeader('Content-Type', 'text/html').end(html)
    else if (pathname.startsWith('/recordings/')) response.end(lines_of(path.basename(pathname)).join('\n') + '\n')
    else if (pathname === '/events') {
      await admitted
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('retry: 10\n\n' + message(JSON.stringify(state), 'state'))
      streams.add(response)
      response.on('close', () => streams.delete(response))
    } else if (pathname === '/control' && request.method === 'POST') {
      let body = ''
      for await (const part of request) body += part
      const order = JSON.parse(body)
      orders.push(order)
      if (order.action === 'stop') set_state({ ...state, stopped: [order.slot] })
      if (order.action === 'continue') set_state({ ...state, stopped: [] })
      if (order.count === 500) response.writeHead(429).end('<b>too much</b>')
      else response.writeHead(204).end()
    } else response.writeHead(404).end()
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const tell = (data, name) => { for (const stream of streams) stream.write(message(data, name)) }
  const set_state = now => { state = now; tell(JSON.stringify(state), 'state') }
  return {
    orders, streams, tell, set_state, address: `http://127.0.0.1:${server.address().port}/`,
    // Ends the streams. The page gets another one when what this returns is called.
    hang_up: () => {
      let admit
      admitted = new Promise(resolve => { admit = resolve })
      for (const stream of streams) stream.destroy()
      return admit
    },
    end: () => { server.closeAllConnections(); server.close() }
  }
}

// Opens the page; fails when it complains on the console, or asks anybody else for anything.
async function with_page(query, visit, options = {}, state = running) {
  const server = await start_server(state)
  try {
    await with_browser(async browser => {
      const page = await (await browser.newContext({ locale: 'en', viewport: { width: 1440, height: 900 }, ...options })).newPage()
      const faults = []
      page.on('console', one => { if (!/429|ERR_INCOMPLETE|ERR_CONNECTION|net::/.test(one.text())) faults.push(one.text()) })
      page.on('pageerror', error => faults.push(error.stack))
      page.on('request', request => { if (!request.url().startsWith(server.address) && !request.url().startsWith('data:')) faults.push(request.url()) })
      await page.goto(server.address + query)
      await visit(page, server)
      assert.deepStrictEqual(faults, [])
    })
  } finally {
    server.end()
  }
}

const rows = page => page.$$eval('tbody tr', all => all.map(row => [...row.cells].map(cell => cell.textContent)))
const steps = (page, name, times) => page.evaluate(([name, times]) => { for (let i = 0; i < times; ++i) document.querySelector(`[data-does=${name}]`).click() }, [name, times])
const one_frame = page => page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))))

test('a recording is shown exactly, event by event, to its end', () => with_page('?replay=/recordings/socket_fanout', async page => {
  await page.waitForSelector('[data-source=replay]')
  const events = lines_of('socket_fanout').map(JSON.parse)
  await steps(page, 'first', 1)
  const arrival = events.findIndex(one => one.ev === 'recv_fd')
  await steps(page, 'forward', arrival + 1)
  await one_frame(page)
  const sent = events.find(one => one.ev === 'send_fd')
  assert.match(await page.textContent('.sentence'), new RegExp(`${sent.fd} → ${events[arrival].fd} in worker ${events[arrival].slot}`))
  assert.match(await page.textContent('.call'), /recvmsg/)
  assert.deepStrictEqual(await page.$$eval('.arrows text', all => all.map(one => one.textContent)), [`${sent.fd} → ${events[arrival].fd}`])
  assert.strictEqual(await page.textContent('.main .fds li:last-child'), `${sent.fd}client 0`)
  await steps(page, 'forward', events.length)
  await one_frame(page)
  const got = pid => events.filter(one => one.ev === 'recv_fd' && one.pid === pid).length
  const workers = events.filter(one => one.ev === 'worker_up')
  assert.deepStrictEqual(await rows(page), workers.map(({ worker, worker_pid }) => [worker, worker_pid, got(worker_pid), got(worker_pid), `${got(worker_pid) * 20} %`, 0, 0].map(String)))
  assert.strictEqual(await page.textContent('#asked'), 'clients say: 5 asked, 5 answered, 0 lost')
  assert.strictEqual(await page.isVisible('#controls'), false)
}))

test('a recording that the reader opens is played, and the keyboard steps through it', () => with_page('', async page => {
  await page.waitForSelector('[data-source=own]')
  await page.setInputFiles('#recording', path.join(top, 'notes/recordings/http_cluster.jsonl'))
  await page.waitForSelector('[data-source=replay]')
  await page.focus('.lanes')
  await page.keyboard.press('Home')
  await page.keyboard.press('ArrowRight')
  await one_frame(page)
  assert.match(await page.textContent('.sentence'), /starts: http_cluster/)
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('ArrowLeft')
  await one_frame(page)
  assert.match(await page.textContent('.sentence'), /starts: http_cluster/)
  await page.keyboard.press('End')
  await one_frame(page)
  assert.strictEqual(await page.textContent('#asked'), 'clients say: 5 asked, 5 answered, 0 lost')
}))

test('a mark tells its event and the call behind it, and a click goes there', () => with_page('?replay=/recordings/socket_fanout', async page => {
  await page.waitForSelector('[data-source=replay]')
  const events = lines_of('socket_fanout').map(JSON.parse)
  await steps(page, 'first', 1)
  await one_frame(page)
  // The last in view: marks that lie on each other are one, of the first.
  const index = await page.$$eval('.mark', all => Math.max(...all.map(one => Number(one.dataset.index))))
  await page.hover(`.mark[data-index="${index}"]`)
  await page.waitForFunction(() => document.querySelector('.hover').textContent !== '')
  await page.click(`.mark[data-index="${index}"]`)
  const { explain } = await import('../../demos/live/page/words.mjs')
  const { apply, new_state } = await import('../../demos/live/page/state.mjs')
  const { sentence } = explain(events.slice(0, index + 1).reduce(apply, new_state()), events[index], 'en')
  await page.waitForFunction(text => document.querySelector('.sentence').textContent === text, sentence)
  await page.click('[data-does=in]')
  await page.click('[data-does=in]')
  const span = await page.textContent('.span')
  await page.click('[data-does=fit]')
  await one_frame(page)
  assert.notStrictEqual(await page.textContent('.span'), span)
}))

test('two hosts whose events come together stand below each other, each with its own stage and its own lanes', () => with_page('', async page => {
  await page.waitForSelector('[data-source=own]')
  const told = [['a', 'socket_fanout'], ['b', 'http_cluster']].flatMap(([host, name]) => lines_of(name).map(JSON.parse).map(event => event.role === 'client' ? event : { ...event, host }))
  await page.setInputFiles('#recording', { name: 'two_hosts.jsonl', mimeType: 'text/plain', buffer: Buffer.from(told.map(event => JSON.stringify(event)).join('\n')) })
  await page.waitForSelector('[data-source=replay]')
  await page.focus('.lanes')
  await page.keyboard.press('End')
  await one_frame(page)
  assert.deepStrictEqual(await page.$$eval('.stage', all => all.filter(one => !one.hidden).map(one => [one.getAttribute('aria-label'), one.querySelectorAll('.boxes .process').length, one.querySelector('.clients h3').textContent])),
    [['Host a', 4, 'from the proxy'], ['Host b', 4, 'from the proxy']])
  assert.deepStrictEqual((await rows(page)).map(([place]) => place), ['a/0', 'a/1', 'a/2', 'a/3', 'b/0', 'b/1', 'b/2', 'b/3'])
  assert.deepStrictEqual((await page.$$eval('.lane-name', all => all.map(one => one.textContent.replace(/main \d+/, 'main')))), ['clients', ...['a', 'b'].flatMap(host => ['main', 'worker 0', 'worker 1', 'worker 2', 'worker 3'].map(who => `${host} · ${who}`))])
  assert.strictEqual(await page.textContent('#asked'), 'clients say: 10 asked, 10 answered, 0 lost')
  await page.click('#language')
  await one_frame(page)
  assert.deepStrictEqual(await page.$$eval('.host h2', all => all.map(one => one.textContent)), ['主机 a', '主机 b'])
  for (const width of [320, 931, 1440]) {
    await page.setViewportSize({ width, height: 800 })
    await one_frame(page)
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `the page at ${width}`)
  }
  await page.evaluate(fs.readFileSync(path.join(modules, 'axe-core/axe.min.js'), 'utf8'))
  assert.deepStrictEqual((await page.evaluate(() => window.axe.run())).violations.map(one => one.id), [])
  // And another recording, of one host, is shown as ever.
  await page.setInputFiles('#recording', path.join(top, 'notes/recordings/server_handoff.jsonl'))
  await page.waitForFunction(() => document.querySelectorAll('.host:not([hidden])').length === 0 && !document.querySelector('#stage').hidden)
}, { bypassCSP: true }))

test('it needs no server: opened as a file, it plays a recording', () => with_browser(async browser => {
  const page = await browser.newPage({ locale: 'en' })
  const faults = []
  page.on('console', one => faults.push(one.text()))
  page.on('pageerror', error => faults.push(error.stack))
  await page.goto(`file://${folder}/page.html`)
  await page.setInputFiles('#recording', path.join(top, 'notes/recordings/server_handoff.jsonl'))
  await page.focus('.lanes')
  await page.waitForSelector('[data-source=replay]')
  await page.keyboard.press('End')
  await page.waitForFunction(() => /5 answered/.test(document.querySelector('#asked').textContent))
  assert.deepStrictEqual(faults, [])
}))

test('a recording that comes over the stream is played from its beginning', () => with_page('', async (page, server) => {
  await page.waitForSelector('[data-source=replay]')
  for (const line of lines_of('server_handoff')) server.tell(line)
  await page.waitForFunction(() => document.querySelector('#speed').value === '0.01')
  await page.waitForFunction(() => document.querySelectorAll('.boxes .process').length > 0)
  assert.strictEqual(await page.isVisible('#controls'), false)
  assert.strictEqual(await page.getAttribute('[data-does=live]', 'aria-pressed'), 'false')
}, {}, { ...running, source: 'replay' }))

test('who has paused and asks for something sees it happen', () => with_page('', async (page, server) => {
  await page.waitForSelector('[data-source=own]')
  for (const line of lines_of('http_cluster').slice(0, 9)) server.tell(line)
  await page.waitForFunction(() => document.querySelectorAll('.boxes .process').length === 4)
  await page.click('[data-does=play]')
  await page.waitForSelector('[data-does=live][aria-pressed=false]')
  await page.click('[data-count="5"]')
  await page.waitForSelector('[data-does=live][aria-pressed=true]')
}))

test('the controls ask the server, name slots, and show the command that does the same', () => with_page('', async (page, server) => {
  await page.waitForSelector('[data-source=own]')
  const ready = lines_of('http_cluster').filter(line => /"(start|listening|worker_up)"/.test(line) && /"main"/.test(line))
  for (const line of ready) server.tell(line)
  await page.waitForFunction(() => document.querySelectorAll('.boxes .process').length === 4)
  assert.strictEqual(await page.textContent('#by_hand'), running.command)
  await page.fill('[name=concurrency]', '3')
  await page.check('[name=keep_alive]')
  await page.click('[data-count="40"]')
  assert.match(await page.textContent('#by_hand'), /^build\/clients\/http_client --port \d+ --count 40 --concurrency 3 --keep-alive$/)
  const [, second] = ready.filter(line => /worker_up/.test(line)).map(JSON.parse)
  await page.click('.boxes .process:nth-child(2) .kill')
  assert.strictEqual(await page.textContent('#by_hand'), `kill -9 ${second.worker_pid}`)
  await page.click('.boxes .process:nth-child(2) .stop')
  await page.click('.boxes .process:nth-child(2) .continue')
  await page.check('[name=demo][value=socket_fanout]', { force: true })
  await page.selectOption('[name=mode]', 'all')
  await page.fill('[name=workers]', '2')
  await page.uncheck('[name=respawn]')
  assert.strictEqual(await page.textContent('#by_hand'), 'build/demos/socket_fanout --mode all --workers 2')
  await page.click('[type=submit]')
  await page.click('[data-does=first]') // whatever is shown
  await page.click('#end')
  assert.strictEqual(await page.textContent('#by_hand'), `kill -INT ${JSON.parse(ready[0]).pid}`)
  await page.click('[data-count="500"]')
  await page.waitForFunction(() => document.querySelector('#complaint').textContent)
  assert.strictEqual(await page.textContent('#complaint'), 'refused: <b>too much</b>')
  assert.deepStrictEqual(server.orders, [
    { action: 'load', count: 40, concurrency: 3, keep_alive: true }, { action: 'kill', slot: 1 }, { action: 'stop', slot: 1 }, { action: 'continue', slot: 1 },
    { action: 'start', demo: 'socket_fanout', mode: 'all', accept: 'step_back', workers: 2, delay: 100, respawn: false }, { action: 'end' },
    { action: 'load', count: 500, concurrency: 3, keep_alive: false }].map((order, i) => i === 6 ? { ...order, keep_alive: server.orders[6].keep_alive } : order))
  server.set_state({ ...running, source: 'stdin' })
  await page.waitForSelector('[data-source=stdin]')
  assert.strictEqual(await page.isVisible('#controls'), false)
}))

for (const [source, failed, says] of [['own', 'http_cluster was killed by <b>SIGKILL</b>', 'live: the example has ended, http_cluster was killed by <b>SIGKILL</b>'], ['stdin', '', 'a demo that somebody else has started, which tells nothing more']]) {
  test(`a main that dies without a word is shown as gone, with its port and its workers: ${source}`, () => with_page('', async (page, server) => {
    await page.waitForSelector(`[data-source=${source}]`)
    const lines = lines_of('http_cluster').filter(line => !/worker_exit|"stop"/.test(line))
    for (const line of lines) server.tell(line)
    server.set_state({ ...running, source, running: false, failed })
    await page.waitForFunction(() => document.querySelector('.main .process').classList.contains('gone'))
    assert.strictEqual(await page.textContent('.kernel .port'), 'nobody listens')
    assert.deepStrictEqual(await page.$$eval('.boxes .process', all => all.map(one => one.className + one.querySelector('.state').textContent)), Array(4).fill('process gone' + 'gone'))
    assert.strictEqual(await page.textContent('#source'), says)
    assert.strictEqual(await page.evaluate(() => document.querySelector('.sentence').textContent.startsWith('Main ')), true)
    // A step back, and it is there again.
    await page.click('[data-does=back]')
    await one_frame(page)
    assert.strictEqual(await page.$eval('.main .process', one => one.className), 'process')
    for (const width of [320, 931, 1440]) {
      await page.setViewportSize({ width, height: 800 })
      await one_frame(page)
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `the page at ${width}`)
    }
  }, {}, { ...running, source }))
}

test('how things stand when a page comes is no news: what led there may still come', () => with_page('', async (page, server) => {
  await page.waitForSelector('[data-source=own]')
  const lines = lines_of('http_cluster')
  for (const line of lines.filter(line => !/worker_exit|"stop"/.test(line))) server.tell(line)
  await page.waitForFunction(() => /5 answered/.test(document.querySelector('#asked').textContent))
  const admit = server.hang_up()
  await page.waitForSelector('[data-source=lost]')
  server.set_state({ ...running, running: false })
  admit()
  await page.waitForSelector('[data-source=own]')
  for (const line of lines.filter(line => /worker_exit|"stop"/.test(line))) server.tell(line)
  server.set_state({ ...running, running: false })
  await page.waitForFunction(() => document.querySelector('.main .process').classList.contains('gone'))
  await one_frame(page)
  assert.match(await page.textContent('.sentence'), /^Main \d+ ends, with exit code 0/)
  assert.match(await page.textContent('.boxes .state'), /^gone: exit 0/)
}))

for (const [mode, offered] of [['rotate', true], ['fork', false]])
  test(`the signals are ${offered ? '' : 'not '}offered where the server ${offered ? 'sends' : 'refuses'} them: ${mode}`, () => with_page('', async (page, server) => {
    await page.waitForSelector('[data-source=own]')
    for (const line of lines_of('socket_fanout').filter(line => !/worker_exit|"stop"/.test(line))) server.tell(line)
    await page.waitForFunction(() => document.querySelectorAll('.boxes .process').length === 4)
    assert.deepStrictEqual(await page.$$eval('.signals', all => all.map(one => !one.hidden)), Array(4).fill(offered))
  }, {}, { ...running, demo: 'socket_fanout', mode }))

test('who is stopped is what the server says, whatever the page remembers, and changes nothing that is chosen', () => with_page('', async (page, server) => {
  const continued = async slots => {
    await page.waitForFunction(slots => [...document.querySelectorAll('.boxes .process')].map((one, slot) => one.querySelector('.continue').hidden ? '' : slot).join('') === slots, slots)
    assert.deepStrictEqual(await page.$$eval('.boxes .state', all => all.map((one, slot) => one.textContent === 'stopped' ? slot : '').join('')), slots)
  }
  await page.waitForSelector('[data-source=own]')
  for (const line of lines_of('http_cluster').filter(line => !/worker_exit|"stop"/.test(line))) server.tell(line)
  await continued('')
  await page.fill('[name=workers]', '7')
  server.set_state({ ...running, stopped: [0, 2] })
  await continued('02')
  assert.strictEqual(await page.inputValue('[name=workers]'), '7')
  server.set_state({ ...running, stopped: [2] })
  await continued('2')
  for (const odd of [undefined, null, 'all', { 0: 1 }]) {
    server.set_state({ ...running, stopped: odd })
    await continued('')
    server.set_state({ ...running, stopped: [1] })
    await continued('1')
  }
}))

test('what has the focus keeps it while events come', () => with_page('', async (page, server) => {
  await page.waitForSelector('[data-source=own]')
  const lines = lines_of('http_cluster')
  const ready = lines.findIndex(line => /"client"/.test(line))
  for (const line of lines.slice(0, ready)) server.tell(line)
  await page.waitForFunction(() => document.querySelectorAll('.boxes .process').length === 4)
  await page.focus('.boxes .process:nth-child(3) .kill')
  for (const line of lines.slice(ready).filter(line => !/worker_exit|"stop"/.test(line))) server.tell(line)
  await page.waitForFunction(() => /5 answered/.test(document.querySelector('#asked').textContent))
  assert.strictEqual(await page.evaluate(() => document.activeElement.className), 'kill')
}))

test('a hostile line injects nothing, and is counted', () => with_page('', async (page, server) => {
  await page.waitForSelector('[data-source=own]')
  const html = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'
  for (const line of lines_of('socket_fanout').slice(0, 8)) server.tell(line)
  const base = { v: 1, seq: 90, t_us: Number.MAX_SAFE_INTEGER - 9, pid: JSON.parse(lines_of('socket_fanout')[0]).pid, role: 'main', slot: null }
  server.tell(JSON.stringify({ ...base, ev: 'accept', conn: html, fd: 50, wakeups: 0 }))
  server.tell(JSON.stringify({ ...base, ev: 'line', text: html }))
  for (const bad of ['{', 'null', '{"ev":"__proto__"}', JSON.stringify({ ...base, ev: 'accept', conn: { toString: 1 }, fd: 1, wakeups: 0 })]) server.tell(bad)
  await page.waitForFunction(() => /4 lines/.test(document.querySelector('#left_out').textContent))
  await page.waitForFunction(() => document.querySelector('.sentence').textContent.includes('<img src=x'))
  assert.deepStrictEqual(await page.evaluate(() => [window.hurt, document.querySelectorAll('img').length, document.scripts.length]), [undefined, 0, 1])
}))

test('when the stream ends it is opened again, and what is missing is told', () => with_page('', async (page, server) => {
  await page.waitForSelector('[data-source=own]')
  const admit = server.hang_up()
  await page.waitForSelector('[data-source=lost]')
  admit()
  await page.waitForSelector('[data-source=own]')
  server.tell('{"count":7}', 'missing')
  await page.waitForFunction(() => /7 events missed/.test(document.querySelector('#left_out').textContent))
}))

test('a flood is drawn a batch a frame, and what is not drawn is counted', () => with_page('', async (page, server) => {
  await page.waitForSelector('[data-source=own]')
  const [start, , listening] = lines_of('http_cluster').filter(line => /"main"/.test(line)).map(JSON.parse)
  server.tell(JSON.stringify(start))
  server.tell(JSON.stringify(listening))
  for (let i = 0; i < 10000; ++i) server.tell(JSON.stringify({ ...start, seq: i + 5, t_us: listening.t_us + 1 + i * 100, ev: 'accept', conn: `127.0.0.1:${i}`, fd: i + 10, wakeups: 0 }))
  await page.waitForFunction(() => /and 9992 more/.test(document.querySelector('.clients .note').textContent))
  assert.match(await page.textContent('.span'), /too close/)
  assert.ok(await page.evaluate(() => document.querySelectorAll('*').length) < 3000)
}))

for (const [lang, locale] of [['zh-CN', 'zh-CN'], ['en', 'de']]) {
  test(`a browser in ${locale} begins in ${lang}, and the switch goes to the other`, () => with_page('?replay=/recordings/server_handoff', async page => {
    await page.waitForSelector('[data-source=replay]')
    assert.strictEqual(await page.getAttribute('html', 'lang'), lang)
    await page.click('#language')
    assert.notStrictEqual(await page.getAttribute('html', 'lang'), lang)
  }, { locale }))
}

test('at no width is anything wider than what it is in', () => with_page('?replay=/recordings/server_handoff', async page => {
  await page.waitForSelector('[data-source=replay]')
  await steps(page, 'first', 1)
  await steps(page, 'forward', 26)
  for (const width of [320, 360, 480, 768, 900, 929, 931, 1024, 1190, 1319, 1321, 1440, 1899, 1901, 2560]) {
    await page.setViewportSize({ width, height: 800 })
    await one_frame(page)
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `the page at ${width}`)
    const outside = await page.$$eval('section :is(.process, .kernel, table, button, select)', all => all.filter(one => one.getBoundingClientRect().right > one.closest('section').getBoundingClientRect().right && !one.closest('.wide')).map(one => one.className))
    assert.deepStrictEqual(outside, [], `at ${width}`)
  }
}))

for (const colorScheme of ['light', 'dark']) {
  for (const [what, query, width] of [['with its controls', '', 1440], ['of a recording, on a telephone', '?replay=/recordings/socket_fanout', 360]]) {
    test(`axe finds nothing in the page ${what}, ${colorScheme}`, () => with_page(query, async (page, server) => {
      await page.waitForSelector(query ? '[data-source=replay]' : '[data-source=own]')
      for (const line of lines_of('http_cluster').slice(0, 30)) server.tell(line)
      await page.waitForFunction(() => document.querySelectorAll('.boxes .process').length === 4)
      await page.evaluate(fs.readFileSync(path.join(modules, 'axe-core/axe.min.js'), 'utf8'))
      const { violations, passes } = await page.evaluate(() => window.axe.run())
      assert.ok(passes.length > 15)
      assert.deepStrictEqual(violations.map(one => `${one.id}: ${one.nodes.map(node => node.target).join(' ')}`), [])
    }, { colorScheme, viewport: { width, height: 900 }, bypassCSP: true })) // so that axe itself may run
  }
}
