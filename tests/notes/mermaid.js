// Mermaid blocks: of the kinds that GitHub's version draws too, parsed and rendered in a browser.
'use strict'
const path = require('path')
const { cannot_browse, modules, with_browser } = require('../browser/chromium.js')

const kinds = ['sequenceDiagram', 'flowchart']

let page // one browser for all documents: [page, what closes it]

async function open_page() {
  if (page) return page
  return page = await new Promise((resolve, reject) => {
    let close
    const closed = new Promise(done => { close = done })
    const finished = with_browser(async browser => {
      const opened = await browser.newPage()
      await opened.setContent('<!doctype html><body></body>')
      await opened.addScriptTag({ path: path.join(modules, 'mermaid/dist/mermaid.min.js') })
      await opened.evaluate(() => window.mermaid.initialize({ startOnLoad: false }))
      resolve({ opened, close: async () => { close(); await finished } })
      await closed
    })
    finished.catch(reject)
  })
}

const width = 830, greatest_height = 800 // pixels: of GitHub's column of text, and of what one still sees at once

// Returns what is wrong with a diagram; undefined when it renders, and fits a screen.
const render = (opened, source) => opened.evaluate(async ({ text, width, greatest_height }) => {
  try {
    const { svg } = await window.mermaid.render(`diagram${Date.now()}`, text)
    const drawn = new DOMParser().parseFromString(svg, 'text/html').querySelector('svg')
    if (!drawn || !drawn.querySelectorAll('text, foreignObject').length) return 'renders to nothing'
    document.body.innerHTML = `<div style="width: ${width}px">${svg}</div>`
    const height = Math.round(document.querySelector('svg').getBoundingClientRect().height)
    if (height > greatest_height) return `${height} px high; more than ${greatest_height} is not seen at once`
  } catch (error) {
    return String(error.message ?? error).split('\n').slice(0, 4).join(' ')
  }
}, { text: source, width, greatest_height })

async function check_mermaid(document, report, skip) {
  const blocks = document.blocks.filter(block => block.language === 'mermaid')
  const why = blocks.length ? cannot_browse() : undefined
  for (const block of blocks) {
    const kind = block.lines.join('\n').trim().split(/\s/)[0]
    if (!kinds.includes(kind)) { report(block.line, `${kind || 'nothing'}: only ${kinds.join(' and ')}, which every version draws`); continue }
    if (why) { skip(block.line, `not drawn: ${why}`); continue }
    const { opened } = await open_page()
    const wrong = await render(opened, block.lines.join('\n'))
    if (wrong) report(block.line, `Mermaid: ${wrong}`)
  }
}

const close_browser = async () => { if (page) await page.close() }

module.exports = { check_mermaid, close_browser }
