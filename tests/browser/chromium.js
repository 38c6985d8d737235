// Debian's Chromium, driven by playwright-core. Both are for the tests only; a reader of the notes needs neither.
'use strict'
const fs = require('fs')
const path = require('path')
const { createRequire } = require('module')

// Where `npm ci` has put what package-lock.json names (tests/browser/install.sh).
const modules = path.join(__dirname, '../../build/browser/node_modules')
const executable = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(file => fs.existsSync(file))

// Why there is no browser here; undefined when there is one.
function cannot_browse() {
  if (!executable) return 'chromium is not installed'
  if (!fs.existsSync(path.join(modules, 'playwright-core'))) return 'playwright-core is not installed: ./run test browser does that'
}

// Starts a browser with an empty profile of its own, calls `visit` with it, and leaves nothing behind.
async function with_browser(visit) {
  const { chromium } = createRequire(modules + '/')('playwright-core')
  const browser = await chromium.launch({
    executablePath: executable,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync']
  })
  try {
    return await visit(browser)
  } finally {
    await browser.close()
  }
}

module.exports = { cannot_browse, modules, with_browser }
