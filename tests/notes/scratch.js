'use strict'
const fs = require('fs')
const path = require('path')

// Calls `use` with a folder inside build/ that is there no longer afterwards.
function in_scratch_folder(use) {
  const folder = fs.mkdtempSync(path.join(__dirname, '../../build/notes-'))
  try { use(folder) } finally { fs.rmSync(folder, { recursive: true }) }
}

module.exports = { in_scratch_folder }
