// node --test tests/notes/checker_test.js
//
// The checker finds nothing in whole.md, and in each of broken/*.md what its first line names: <!-- PART: MESSAGE -->.
'use strict'
const assert = require('assert')
const child_process = require('child_process')
const fs = require('fs')
const path = require('path')
const test = require('node:test')
const { cannot_browse } = require('../browser/chromium.js')
const { cannot_trace } = require('./trace.js')

const impossible = { pictures: cannot_browse(), traces: cannot_trace() } // part: why it cannot be checked here

function check(part, file, command = 'check') {
  const { status, stdout, stderr } = child_process.spawnSync(process.execPath,
    [path.join(__dirname, 'check.js'), command, `--only=${part}`, ...command === 'check' && file.includes('broken') ? ['--patience=2000'] : [], file],
    { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

for (const part of ['text', 'code', 'transcripts', 'traces', 'pictures'])
  test(`whole.md: nothing is wrong in its ${part}`, { skip: impossible[part] }, () => {
    const { status, output } = check(part, path.join(__dirname, 'whole.md'))
    assert.strictEqual(status, 0, output)
  })

const folder = path.join(__dirname, 'broken')
for (const name of fs.readdirSync(folder).filter(file => file.endsWith('.md'))) {
  const [, part, message] = fs.readFileSync(path.join(folder, name), 'utf8').match(/^<!-- (\w+): (.*) -->\n/)
  test(`broken/${name} is noticed`, { skip: impossible[part] }, () => {
    const { status, output } = check(part, path.join(folder, name))
    assert.match(output, new RegExp(message))
    assert.strictEqual(status, 1, output)
  })
}

test('update puts an excerpt, an output and a transcript right, and then nothing is wrong', () => {
  const scratch = fs.mkdtempSync(path.join(__dirname, '../../build/notes-'))
  try {
    const cases = [['excerpt_changed', 'text', 'return 42;'], ['program_output_differs', 'code', '\n42\n'], ['transcript_differs', 'transcripts', '\nhello\n']]
    for (const [name, part, right] of cases) {
      const file = path.join(scratch, `${name}.md`)
      fs.copyFileSync(path.join(folder, `${name}.md`), file)
      assert.strictEqual(check(part, file, 'update').status, 0)
      assert.ok(fs.readFileSync(file, 'utf8').includes(right))
      assert.strictEqual(check(part, file).status, 0)
    }
  } finally {
    fs.rmSync(scratch, { recursive: true })
  }
})
