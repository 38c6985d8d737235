// Takes the README's pictures of the page: a hand-over under way, from notes/recordings/socket_fanout.jsonl, light and dark.
//
//     node tests/browser/page_picture.js            takes them
//     node tests/browser/page_picture.js --check    says whether they are of the page and the recording as they are now
//
// Two browsers draw no two letters alike, so what is compared is what the pictures were taken from.
'use strict'
const assert = require('assert')
const { execFileSync } = require('child_process')
const { createHash } = require('crypto')
const fs = require('fs')
const http = require('http')
const os = require('os')
const path = require('path')
const { with_browser } = require('./chromium.js')

const top = path.join(__dirname, '../..')
const file = 'notes/recordings/socket_fanout.jsonl'
const recording = fs.readFileSync(path.join(top, file))
const events = recording.toString().trim().split('\n').map(JSON.parse)
const most_bytes = 150000
const check = process.argv.includes('--check')
const data_file = path.join(top, 'tests/browser/page_picture.json')

// When most descriptors are under way.
function busiest() {
  let [best, most, underway] = [0, 0, 0]
  events.forEach((event, i) => {
    underway += (event.ev === 'send_fd') - (event.ev === 'recv_fd')
    if (underway <= most) return
    [best, most] = [i + 1, underway]
  })
  return best
}

async function take(browser, address, colorScheme) {
  const page = await (await browser.newContext({ colorScheme, locale: 'en', viewport: { width: 1340, height: 1000 } })).newPage()
  await page.goto(address)
  await page.waitForSelector('[data-source=replay]')
  await page.evaluate(steps => {
    document.querySelector('[data-does=first]').click()
    for (let i = 0; i < steps; ++i) document.querySelector('[data-does=forward]').click()
    return new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))
  }, busiest())
  const clip = { ...await page.locator('main').boundingBox(), scale: 1 }
  const devtools = await page.context().newCDPSession(page)
  const { data } = await devtools.send('Page.captureScreenshot', { format: 'webp', quality: 90, clip })
  const picture = Buffer.from(data, 'base64')
  assert.ok(picture.length <= most_bytes, `${colorScheme}: ${picture.length} bytes`)
  const there = path.join(top, `notes/pictures/live-${colorScheme}.webp`)
  if (!check) fs.writeFileSync(there, picture)
  assert.ok(fs.statSync(there).size <= most_bytes, `${there}: ${fs.statSync(there).size} bytes`)
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'page-'))
execFileSync('cmake', ['-D', `PAGE=${folder}/page.html`, '-P', path.join(top, 'demos/live/page/join.cmake')])
const html = fs.readFileSync(`${folder}/page.html`)
fs.rmSync(folder, { recursive: true })
const sum = bytes => createHash('sha256').update(bytes).digest('hex')
const taken_from = { page: sum(html), recording: sum(recording) }
if (check) {
  assert.deepStrictEqual(taken_from, JSON.parse(fs.readFileSync(data_file)), 'the page has changed since: node tests/browser/page_picture.js takes them anew')
}
const server = http.createServer((request, response) => request.url.startsWith('/?') ? response.setHeader('Content-Type', 'text/html').end(html) : response.end(recording))
server.listen(0, '127.0.0.1', async () => {
  try {
    await with_browser(async browser => {
      for (const scheme of ['light', 'dark']) await take(browser, `http://127.0.0.1:${server.address().port}/?replay=/${file}`, scheme)
    })
    if (!check) fs.writeFileSync(data_file, JSON.stringify(taken_from, null, 2) + '\n')
  } finally {
    server.close()
    server.closeAllConnections()
  }
})
