// node --test tests/browser/live_test.js
//
// The page of demos/live with its real server and real processes: what one chooses is what runs, and what is shown is what happened.
'use strict'
const assert = require('assert')
const { spawn } = require('child_process')
const fs = require('fs')
const path = require('path')
const readline = require('readline')
const test = require('node:test')
const { with_browser } = require('./chromium.js')

const top = path.join(__dirname, '../..')
const runs = pid => fs.existsSync(`/proc/${pid}`)

// Starts the server, opens its page, calls `visit`, and ends both: no fault on the console, no request to anybody else, nobody left running.
async function with_page(visit) {
  const live = spawn(path.join(top, 'build/demos/live'), ['--port', '0'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise(resolve => live.on('exit', (code, signal) => resolve(code ?? signal)))
  try {
    const lines = readline.createInterface({ input: live.stderr })
    const address = await new Promise((resolve, reject) => {
      lines.on('line', line => { const found = line.match(/http:\/\/\S+\//); if (found) resolve(found[0]) })
      ended.then(code => reject(new Error(`live has ended: ${code}`)))
    })
    await with_browser(async browser => {
      const page = await (await browser.newContext({ locale: 'en', viewport: { width: 1440, height: 900 } })).newPage()
      const faults = []
      page.on('console', one => faults.push(one.text()))
      page.on('pageerror', error => faults.push(error.stack))
      page.on('request', request => { if (!request.url().startsWith(address) && !request.url().startsWith('data:')) faults.push(request.url()) })
      await page.goto(address)
      await page.waitForSelector('[data-source=own]')
      await visit(page, address)
      assert.deepStrictEqual(faults, [])
    })
  } finally {
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
  await load(page, 40, 'clients: 40 asked, 40 answered, 0 lost')
  assert.strictEqual((await rows(page)).reduce((sum, row) => sum + Number(row[3]), 0), 40)
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

test('a worker that is killed has a successor with another PID, and each client is counted', () => with_page(async page => {
  await choose(page, 'socket_fanout', { workers: 3 })
  await workers_shown(page, 3)
  const before = await pids(page)
  await page.waitForFunction(() => /\d/.test(document.querySelector('.kernel .port').textContent))
  await page.click('.boxes .process >> nth=1 >> [data-name=kill]')
  await page.waitForFunction(pid => Number(document.querySelectorAll('tbody tr')[1].cells[1].textContent) !== pid, before[1])
  assert.ok(!runs(before[1]))
  const now = await pids(page)
  assert.deepStrictEqual([now[0], now[2]], [before[0], before[2]])
  await load(page, 5, 'clients: 5 asked, 5 answered, 0 lost')

  // Now while it has clients: some of these may be lost, and then the page says so. Nobody is forgotten.
  await page.click('[data-count="40"]')
  await page.waitForFunction(() => !/^clients: 5 /.test(document.querySelector('#asked').textContent))
  await page.click('.boxes .process >> nth=0 >> [data-name=kill]')
  await page.waitForFunction(() => {
    const [, asked, answered, lost] = document.querySelector('#asked').textContent.match(/(\d+) asked, (\d+) answered, (\d+) lost/).map(Number)
    return asked === 45 && answered + lost === 45
  })
  await page.waitForFunction(pid => Number(document.querySelectorAll('tbody tr')[0].cells[1].textContent) !== pid, now[0])
}))
