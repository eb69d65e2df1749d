// Says which Node runs it, once all packages could be loaded.
require('eventsource')
require('ioredis')
require('standardwebhooks')
require('ws')
console.log(process.version)
