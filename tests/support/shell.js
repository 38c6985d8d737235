// What a shell takes for the same words: --child, and what is shown to be typed.
'use strict'

// One word, whatever is in it: a folder may be called "it's mine".
const quoted = word => `'${word.replaceAll("'", "'\\''")}'`

module.exports = { quoted, command_of: words => words.map(quoted).join(' ') }
