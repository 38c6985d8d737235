// Programs in code blocks: JavaScript runs, C++ compiles.
'use strict'
const child_process = require('child_process')
const fs = require('fs')
const path = require('path')
const { Walk } = require('./transcripts.js')

// A program in a block runs as a file of its own; the block after it may show what it prints.
async function check_javascript(document, report) {
  for (const [i, block] of document.blocks.entries()) {
    if (block.language !== 'js' || !block.options.run) continue
    const next = document.blocks[i + 1]
    const shows_output = next?.language === 'text' && next.options.output
    const file = path.join('build/notes', `${path.basename(document.name, '.md')}_${block.line}.js`)
    fs.mkdirSync(path.join(document.root, 'build/notes'), { recursive: true })

    const console_block = { line: block.line, options: shows_output ? next.options : { }, lines: [`$ node ${file}`, ...shows_output ? next.lines : ['...']] }
    const walk = new Walk(document.root, [console_block], (line, message, fix) =>
      report(line, message, fix && shows_output && { block: next, lines: fix.lines.slice(1) }))
    walk.session.port = await require('./session.js').free_port()
    fs.writeFileSync(path.join(document.root, file), block.lines.join('\n').replace(/\b8888\b/g, walk.session.port))
    await walk.run()
  }
}

function check_cpp(document, report) {
  for (const block of document.blocks) {
    if (block.language !== 'cpp' || !block.options.compile) continue
    const { status, stderr, error } = child_process.spawnSync('g++', ['-std=c++20', '-Wall', '-fsyntax-only', '-Icommon', '-x', 'c++', '-'],
      { cwd: document.root, input: block.lines.join('\n') + '\n', encoding: 'utf8' })
    if (error || status) report(block.line, `does not compile: ${error?.message ?? stderr.split('\n').slice(0, 3).join(' ')}`)
  }
}

module.exports = { check_cpp, check_javascript }
