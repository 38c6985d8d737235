// What Node makes of each line that it reads on its channel; and, asked for a value, what comes back of it.
'use strict'

const { isDeepStrictEqual } = require('node:util')

// Half a surrogate pair cannot be written as UTF-8: Buffer makes U+FFFD of it, as whoever reads it would.
const wellFormed = value => {
  if (typeof value === 'string') return Buffer.from(value).toString()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [wellFormed(key), wellFormed(one)]))
}

let sent // and not yet back

process.on('uncaughtException', error => process.send({ broken: error.name }))
process.on('message', message => {
  if (sent) {
    const expected = wellFormed(JSON.parse(JSON.stringify(sent.value)))
    process.send({ expected: JSON.stringify(expected), same: isDeepStrictEqual(message, expected) })
    sent = undefined
  } else if (message?.evaluate) {
    sent = { value: (0, eval)(`(${message.evaluate})`) }
    process.send(sent.value)
  } else {
    process.send({ text: JSON.stringify(wellFormed(message)) })
  }
})
