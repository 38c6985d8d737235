// node tests/browser/page_picture.js
//
// Takes the README's pictures of the page: a hand-over under way, from notes/recordings/socket_fanout.jsonl, light and dark.
'use strict'
const { execFileSync } = require('child_process')
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
  if (picture.length > most_bytes) throw new Error(`${colorScheme}: ${picture.length} bytes`)
  fs.writeFileSync(path.join(top, `notes/pictures/live-${colorScheme}.webp`), picture)
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'page-'))
execFileSync('cmake', ['-D', `PAGE=${folder}/page.html`, '-P', path.join(top, 'demos/live/page/join.cmake')])
const html = fs.readFileSync(`${folder}/page.html`)
fs.rmSync(folder, { recursive: true })
const server = http.createServer((request, response) => request.url.startsWith('/?') ? response.setHeader('Content-Type', 'text/html').end(html) : response.end(recording))
server.listen(0, '127.0.0.1', async () => {
  try {
    await with_browser(async browser => {
      for (const scheme of ['light', 'dark']) await take(browser, `http://127.0.0.1:${server.address().port}/?replay=/${file}`, scheme)
    })
  } finally {
    server.close()
    server.closeAllConnections()
  }
})
