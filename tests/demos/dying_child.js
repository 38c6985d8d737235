// A worker that ends with an error as soon as it has something to do.
'use strict'

process.on('message', () => process.exit(7))
